"""The main job as its user runs it: the command, its file of counts, and the three servers that it leaves running."""

from __future__ import annotations

import hashlib
import io
import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from docs.screenshots import IMAGES, SHOTS, take
from PIL import Image
from playwright.sync_api import Browser

from hutong.demo.residents import OUTBREAK_2015, PLACES_PER_TOWNSHIP
from hutong.governance.queries import cosigner_key
from hutong.node import open_node
from hutong.passes.credential import picture
from hutong.trust.log.checkpoint import open_checkpoint
from hutong.trust.log.note import parse_verifier_key
from hutong.trust.trust_list import party_of
from tests.demo.command import HUTONG, free_port
from tests.demo.likeness import LEAST, likeness
from tests.demo.told import EVENTS, lines_of_steps, untold
from tests.opening.real_lists import packaged


@dataclass(frozen=True)
class Demonstration:
    """What the command printed, the facts of its file, and its folder."""

    told: str
    facts: dict[str, Any]
    folder: Path

    def get(self, node: str, path: str, **query: Any) -> httpx.Response:
        return httpx.get(f"{self.facts['nodes'][node]['url']}{path}", params=query, timeout=60).raise_for_status()

    @contextmanager
    def signed_in(self, node: str, name: str) -> Iterator[httpx.Client]:
        """A browser in which an account of the node is signed in."""
        with httpx.Client(base_url=self.facts["nodes"][node]["url"], follow_redirects=True, timeout=60) as browser:
            form = re.search(r'name="form" value="([^"]+)"', browser.get("/en/sign-in").text)
            assert form is not None
            sent = {"name": name, "password": self.facts["accounts"]["password"], "form": form[1]}
            assert browser.post("/en/sign-in", data=sent).status_code == 200
            yield browser


def words(answer: httpx.Response) -> str:
    """What a page says, without its marks, in one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.raise_for_status().text)).split())


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    """`hutong demo` on the packaged lists, serving."""
    packaged("taiwan")
    folder = tmp_path_factory.mktemp("demo")
    command = [
        *HUTONG,
        "--dir",
        str(folder / "nodes"),
        "--port",
        str(free_port()),
        "--json",
        str(folder / "facts.json"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    told = []
    try:
        for line in process.stdout:
            told.append(line)
            if "Stop with Ctrl-C" in line:
                break
        assert "Stop with Ctrl-C" in told[-1], "".join(told)
        yield Demonstration("".join(told), json.loads((folder / "facts.json").read_text()), folder / "nodes")
    finally:
        process.terminate()  # in a background job SIGINT would be ignored
        assert process.wait(60) == 128 + signal.SIGTERM


def test_every_row_has_an_answer_and_the_same_file_adds_nothing(demo: Demonstration) -> None:
    acquired = demo.facts["acquire"]
    for region, rows in (("tw", 107_117), ("pe", 171_282)):
        case = acquired[f"{region}_case"]
        assert case["rows"] == rows == case["accepted"] + case["held"] + case["rejected"]
        assert acquired[f"{region}_again"] == {"receipt": case["id"], "repeated": True}
        assert acquired[f"{region}_in_lake"]["case"] == case["accepted"]
        assert "in the lake: " in demo.told
        assert f"{case['accepted']:,} case rows" in demo.told
        set_up = demo.facts["set_up"]
        assert set_up["emergencies"][region] == f"{region}-dengue-exercise"
        assert set_up["boundaries"][region] == f"{region}-surveillance"
        assert f"acquired {rows:,} case rows: {case['accepted']:,} accepted, {case['held']:,} held" in demo.told
    assert set(acquired["tw_case"]["refused_values"]) == {
        *("infection_area_code", "infection_village_code", "residence_village_code")
    }


def test_counts_in_the_file_are_those_of_the_nodes(demo: Demonstration) -> None:
    for region in ("tw", "pe"):
        quality = demo.get(region, f"/api/acquisition/quality/{region}-dengue").json()
        assert quality["results"] == demo.facts["quality"][region]["results"]
        for kind in ("weekly", "records"):
            name = f"{region}-dengue-{kind}"
            release = demo.facts["open"][name]
            for file in release["files"].values():
                assert hashlib.sha256(Path(file["path"]).read_bytes()).hexdigest() == file["sha256"]
            page = demo.get(region, f"/en/datasets/{name}").text
            assert f"{release['rows']:,}" in page
            shown = demo.get(region, f"/api/opening/datasets/{name}").json()["releases"][0]
            assert (shown["rows"], shown["version"]) == (release["rows"], release["version"])
        weekly = demo.get(region, f"/data/{region}-dengue-weekly/v1/{region}-dengue-weekly-v1.csv").text
        assert len(weekly.splitlines()) - 1 == demo.facts["open"][f"{region}-dengue-weekly"]["rows"]
    for node in ("hub", "tw", "pe"):
        assert demo.get(node, "/api/log/check").json()["size"] >= demo.facts["log"][node]["size"]


@pytest.mark.parametrize("region", ["tw", "pe"])
def test_counts_of_what_came_in_are_those_of_the_stewards_pages(demo: Demonstration, region: str) -> None:
    receipts = {table: demo.facts["acquire"][f"{region}_{table}"] for table in ("area", "case")}
    people = (
        [demo.facts["passes"][name] for name in ("residents", "places", "stays", "tests")] if region == "tw" else []
    )
    accepted = sum(receipt["accepted"] for receipt in (*receipts.values(), *people))
    with demo.signed_in(region, "steward") as browser:
        overview = words(browser.get("/en/steward"))
        assert f"rows accepted {accepted:,} " in overview
        held, rejected = (sum(receipt[outcome] for receipt in receipts.values()) for outcome in ("held", "rejected"))
        assert f"rows held {held:,} wait for a decision {held:,} rows rejected {rejected:,} " in overview
        for element, values in receipts["case"]["refused_values"].items():
            assert f"{element} : {values:,} value" in overview
        for receipt in receipts.values():
            page = words(browser.get(f"/en/steward/receipts/{receipt['id']}"))
            assert f"{receipt['accepted']:,} of {receipt['rows']:,} rows were accepted" in page
            for finding in receipt["findings"]:
                assert finding["rule"] in page
                assert f" {finding['rows']:,} " in page
        assessed = demo.facts["quality"][region]
        page = words(browser.get(f"/en/steward/quality/{region}-dengue"))
        assert f"{assessed['label']} quality {assessed['score']:.0%} " in page
        for result in assessed["results"]:
            dimension = result["dimension"].capitalize()
            unit = result["unit"].removesuffix("s") if result["checked"] == 1 else result["unit"]
            figures = f"{dimension} {result['concerned']:,} {result['checked']:,} {unit}"
            assert f"{result['title']['en']} {result['id']} {figures}" in page


def test_counts_on_public_pages_are_those_of_the_file(demo: Demonstration) -> None:
    published = [name for name in demo.facts["open"] if name != "seconds"]
    for node in ("hub", "tw", "pe"):
        data_sets = len([name for name in published if node == "hub" or name.startswith(f"{node}-")])
        assert f"{data_sets} data sets Health data" in words(demo.get(node, "/en/catalogue"))
        entries = int(demo.get(node, "/log/checkpoint").text.splitlines()[1])
        assert entries >= demo.facts["log"][node]["size"]
        assert f"{entries} things happened here" in words(demo.get(node, "/en/log"))
        if node == "hub":
            home = words(demo.get(node, "/en/"))
            assert re.search(rf"data sets in the catalogue \d open to everyone {data_sets} newest", home)
            assert f"entries in the public log every step, signed {entries} " in home
    risk = words(demo.get("tw", "/en/risk-areas"))
    areas = demo.facts["passes"]["risk_areas"]["areas"]
    for level, number in areas.items():
        assert re.search(rf"\b{level} [^●▲■]*? {number:,} areas", risk), level
    assert f"{areas['high']} areas of {sum(areas.values())} are at the highest level" in risk


def test_the_hub_shows_both_regions_in_one_catalogue_and_one_series(demo: Demonstration) -> None:
    found = demo.get("hub", "/api/3/action/package_search", q="dengue").json()["result"]
    names = [dataset["name"] for dataset in found["results"]]
    expected = [f"{region}--{region}-dengue-{kind}" for region in ("pe", "tw") for kind in ("records", "weekly")]
    assert sorted(names) == expected
    assert len(demo.facts["catalogue"]["joint_series"]["sources"]) == 2
    assert "<svg" in demo.get("hub", "/en/").text


def test_the_release_was_shared_and_taken_back(demo: Demonstration) -> None:
    shared = demo.facts["share"]
    assert Path(shared["file"]).is_file()
    assert shared["rows"] == demo.facts["open"]["tw-dengue-records"]["rows"]


@pytest.mark.parametrize("step", EVENTS)
def test_each_step_is_in_the_logs(demo: Demonstration, step: str) -> None:
    places = {"hub": ("hub",), "both": ("tw", "pe"), "giver": ("tw",), "taker": ("pe",)}
    for place, kinds in EVENTS[step].items():
        for node in places[place]:
            entries = demo.get(node, "/api/log/entries", limit=500).json()["entries"]
            assert kinds <= {entry["event"]["kind"] for entry in entries}


@pytest.mark.parametrize("step", ["begin", *EVENTS, "end"])
def test_each_printed_number_is_in_the_file(demo: Demonstration, step: str) -> None:
    lines = lines_of_steps(demo.told)[step]
    assert lines
    assert untold(lines, demo.facts.get(step, demo.facts)) == []


def test_the_other_nodes_signed_each_checkpoint(demo: Demonstration) -> None:
    parties = {name: party_of(demo.get(name, "/.well-known/hutong").json()) for name in ("hub", "tw", "pe")}
    for name, told in demo.facts["log"].items():
        if name == "seconds":
            continue
        others = {other for other in parties if other != name}
        keys = [parse_verifier_key(parties[name].log_key), *(cosigner_key(parties[other]) for other in others)]
        opened = open_checkpoint(told["checkpoint"].encode(), keys, f"{name}.hutong/log")
        assert {signature.name for signature in opened.verified} == {
            f"{name}.hutong/log",
            *(f"{other}.hutong/witness" for other in others),
        }
        assert (opened.checkpoint.size, set(told["witnesses"])) == (told["size"], others)
        assert not opened.unverified
        assert told["not_witnessed_by"] == {}


def test_the_synthetic_population_has_places_in_the_townships_of_the_outbreak(demo: Demonstration) -> None:
    passes = demo.facts["passes"]
    assert {"place_id", "kind", "area_code"} < set(demo.facts["set_up"]["may_be_collected"]["place"])
    assert passes["places"]["accepted"] == passes["places"]["rows"] == len(OUTBREAK_2015) * PLACES_PER_TOWNSHIP
    assert passes["stays"]["accepted"] == passes["stays"]["rows"]
    assert f"{passes['stays']['accepted']:,} stays at {passes['places']['accepted']:,} places" in demo.told
    with closing(open_node(demo.folder / "tw")) as node:
        places, stays = node.engine.table("place"), node.engine.table("stay")
        found = node.engine.to_arrow(places.select("place_id", "area_code", "longitude", "latitude")).to_pylist()
        at = node.engine.to_arrow(stays.select("place_id", "area_code")).to_pylist()
    assert {place["area_code"] for place in found} == set(OUTBREAK_2015)
    assert all(120 < place["longitude"] < 121 and 22.4 < place["latitude"] < 23.5 for place in found)
    assert {(stay["place_id"], stay["area_code"]) for stay in at} <= {(p["place_id"], p["area_code"]) for p in found}


def test_the_pass_is_read_from_its_picture_and_has_no_name_on_it(demo: Demonstration) -> None:
    issued = demo.facts["passes"]["pass"]
    assert picture.read(Path(issued["picture"]).read_bytes()) == issued["text"]
    assert Path(issued["text_file"]).read_text("ascii") == issued["text"]
    assert json.loads(Path(demo.facts["passes"]["trust_bundle"]).read_text())["signed"]
    answers = {scene: answer["answer"] for scene, answer in demo.facts["passes"]["verified_by_pe"].items()}
    assert set(answers.values()) == {"accepted", "refused", "unknown"}
    altered = demo.facts["passes"]["altered"]
    assert altered["answer"] == "refused"
    assert [reason["rule_id"] for reason in altered["reasons"]] == ["signature-invalid"]
    assert re.search(r"one bit altered: ■ refused: .+ \[signature-invalid\]", demo.told)
    recognised = demo.facts["passes"]["recognition"]
    assert {name: len(answers) for name, answers in recognised.items()} == {"tw in pe": 3, "pe in tw": 4}
    assert all(set(answers.values()) == {"accepted", "refused"} for answers in recognised.values())
    assert (
        sum(demo.facts["passes"]["levels"]["by_level"].values()) == demo.facts["passes"]["levels"]["persons"] == 50_000
    )


def test_each_address_of_the_closing_screen_opens(demo: Demonstration) -> None:
    closing = demo.told[demo.told.index("Open\n") :]
    addresses = re.findall(r"http://\S+", closing)
    assert addresses == list(demo.facts["addresses"])
    assert f"hutong log check --node {demo.folder / 'tw'}" in closing
    for address in addresses:
        assert httpx.get(address, follow_redirects=True, timeout=60).status_code == 200
    assert demo.facts["accounts"]["password"] in closing


def test_a_resident_and_two_authorities_can_sign_in(demo: Demonstration) -> None:
    accounts, giver = demo.facts["accounts"], demo.facts["accounts"]["resident"]["node"]
    for name in ("authority", "second", accounts["resident"]["name"]):
        with demo.signed_in(giver, name) as browser:
            assert browser.get("/en/account").url.path == "/en/account"


@pytest.mark.browser
def test_the_pictures_of_the_documentation_show_what_the_pages_look_like(
    demo: Demonstration, chromium: Browser
) -> None:
    """After a change of the look: ``python -m docs.screenshots``."""
    for shot in SHOTS:
        taken = Image.open(io.BytesIO(take(shot, chromium, demo.facts["nodes"][shot.node]["url"])))
        committed = Image.open(IMAGES / f"{shot.name}.png")
        assert taken.size == committed.size == shot.window
        assert likeness(taken, committed) > LEAST, shot.name
