"""The main job on somebody's own lists, as its user runs it."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hutong.acquisition import actions as acquisition
from hutong.demo import pass_steps, run
from hutong.demo.lists import line_lists
from hutong.demo.own_lists import areas_of_cases, named_places
from hutong.demo.report import Report
from hutong.demo.run import MARKER, room
from hutong.demo.setup_steps import boundary_of
from hutong.errors import BadInput, Conflict, NotFound
from hutong.insight import queries
from hutong.insight.actions import assess_risk_areas
from tests.conftest import NewNode
from tests.demo.command import HUTONG, LONGEST_SECONDS, free_port
from tests.opening.real_lists import packaged
from tests.passes.region import AS_OF, LI, SUNSET, declare, fill_lake, put

OWN_ROWS = 3_000


def first_rows(name: str, folder: Path) -> Path:
    """The first rows of a packaged list as a file of its own."""
    path = folder / f"{name}.csv"
    with packaged(name).open(encoding="utf-8", newline="") as whole, path.open("w", encoding="utf-8") as part:
        csv.writer(part).writerows(islice(csv.reader(whole), OWN_ROWS + 1))
    return path


def test_own_lists_work_the_same_way(tmp_path: Path) -> None:
    """The first rows of the real lists as somebody's own files, with own mappings of one of them."""
    given = []
    for region, name in (("tw", "taiwan"), ("pe", "peru")):
        given += ["--source", f"{region}={first_rows(name, tmp_path)}"]
    for table, mapping in line_lists({}, {})["tw"].mappings.items():
        own = tmp_path / f"{table}.yaml"
        own.write_text(mapping.replace("mapping: taiwan-", "mapping: own-"), encoding="utf-8")
        given += ["--mapping", f"tw={own}"]
    facts = tmp_path / "facts.json"
    where = ["--dir", str(tmp_path / "nodes"), "--port", str(free_port()), "--no-serve", "--json", str(facts)]
    ran = subprocess.run(
        [*HUTONG, *where, *given], capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = json.loads(facts.read_text())
    assert found["acquire"]["tw_case"]["rows"] == found["acquire"]["pe_case"]["rows"] == OWN_ROWS
    assert found["acquire"]["tw_case"]["mapping"] == "own-case@1"
    assert found["passes"]["risk_areas"]["areas"]["high"] > 0


OWN_CASES = """\
mapping: own-cases
version: 1
table: case
nulls: ["None"]
elements:
  disease: {constant: dengue}
  classification: {constant: confirmed}
  onset_date: {from: onset, date: "%Y-%m-%d"}
  date_precision: {constant: day}
  age: {from: age}
  age_group: {from: age, bands: five-year}
  residence_area_code: {from: [province, town], separator: ".", prefix: "ZZ-", spaces: "_"}
  case_count: {constant: 1}
true_from: onset_date
"""


def test_a_list_of_a_region_of_its_own_name(tmp_path: Path) -> None:
    """As the issue says it: one file, one mapping, any name; the areas are read off the cases."""
    places = (("North", "Upper Town"), ("North", "Bridge End"), ("South", "Old Harbour"))
    rows = [f"2025-{1 + n % 3:02}-{1 + n % 28:02},{n % 90},{','.join(places[n % 3])}\n" for n in range(900)]
    cases, mapping = tmp_path / "cases.csv", tmp_path / "cases.yaml"
    cases.write_text("onset,age,province,town\n" + "".join(rows), encoding="utf-8")
    mapping.write_text(OWN_CASES, encoding="utf-8")
    facts = tmp_path / "facts.json"
    ran = subprocess.run(
        [*HUTONG, "--dir", str(tmp_path / "nodes"), "--port", str(free_port()), "--no-serve", "--json", str(facts),
         "--source", f"a={cases}", "--mapping", f"a={mapping}", "--source", f"pe={first_rows('peru', tmp_path)}"],
        capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = json.loads(facts.read_text())
    assert list(found["nodes"]) == ["hub", "a", "pe"]
    assert (found["acquire"]["a_case"]["accepted"], found["acquire"]["a_area"]["accepted"]) == (900, 6)
    assert {"a-dengue-weekly", "a-dengue-records", "pe-dengue-weekly"} < set(found["open"])
    assert found["share"]["rows"] == found["open"]["a-dengue-records"]["rows"]
    assert "pe asked a for a-dengue-records" in ran.stdout
    assert found["passes"]["verified_by_pe"]["community"]["answer"] == "unknown"


def test_names_take_the_places_that_are_left() -> None:
    own = {name: Path(f"{name}.csv") for name in ("a", "b", "pe")}
    both = {"a": [], "b": []}
    assert named_places(("tw", "pe"), {"a": own["a"], "b": own["b"]}, both) == {"tw": "a", "pe": "b"}
    assert named_places(("tw", "pe"), {"pe": own["pe"], "a": own["a"]}, {"a": []}) == {"tw": "a", "pe": "pe"}
    assert named_places(("tw", "pe"), {}, {"pe": []}) == {"tw": "tw", "pe": "pe"}
    for files, mappings in (
        ({"a": own["a"]}, {}),
        ({}, {"a": []}),
        ({"hub": own["a"]}, {"hub": []}),
        ({"A B": own["a"]}, {"A B": []}),
        (dict.fromkeys("abc", own["a"]), {name: [] for name in "abc"}),
        ({"tw": own["a"], "pe": own["pe"], "a": own["a"]}, {"a": []}),
    ):
        with pytest.raises(BadInput):
            named_places(("tw", "pe"), files, mappings)


def test_areas_that_cannot_be_read_off_the_cases_are_asked_for() -> None:
    assert [level["level"] for level in json.loads(areas_of_cases(OWN_CASES, "a"))["levels"]] == [
        *("country", "region1", "region2")
    ]
    joined = '{from: [province, town], separator: ".", prefix: "ZZ-", spaces: "_"}'
    for other in ("{constant: ZZ}", "{from: town, codes: {A: B}}", "town", "{from: [a, b, c, d, e]}"):
        with pytest.raises(BadInput, match="--mapping a=FILE"):
            areas_of_cases(OWN_CASES.replace(joined, other), "a")


def test_risk_areas_are_of_the_finest_level_that_a_list_has(new_node: NewNode) -> None:
    """A list whose cases are placed by one column has areas of one level below the country."""
    region = new_node()
    declare(region)
    fill_lake(region)
    assert queries.fitting_rule(region).area_level == "region2"
    areas = region.engine.table("area")
    region.lake.replace("area", region.engine.to_arrow(areas.filter(areas.level == "region1")))
    made = assess_risk_areas(region, by=LI, rule=queries.fitting_rule(region), as_of=AS_OF)
    assert dict(made.areas) == {"low": 1, "medium": 0, "high": 0}
    assert queries.rule_of(made).area_level == "region1"  # the page of risk areas finds the rule again


@pytest.mark.parametrize("placed", [True, False])
def test_a_list_with_the_country_only_goes_through(
    new_node: NewNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, placed: bool
) -> None:
    """It is one risk area then, whose residents stay in no other; what that can't show is said."""
    node, at = new_node(), AS_OF
    declare(node)
    boundary = boundary_of(node, "dengue-2015", SUNSET)
    acquisition.set_boundary(node, by=node.operator, boundary=boundary)
    case = {"disease": "dengue", "classification": "confirmed", "date_precision": "day", "imported": False}
    case["residence_area_code"] = "SG" if placed else None
    put(node, "area", [{"area_code": "SG", "level": "country", "name_en": "Singapore"}])
    put(node, "case", [{**case, "true_from": at - timedelta(days=number % 7)} for number in range(60)])
    lists = {"tw": replace(line_lists({}, {})["tw"], is_own=True)}
    printed = StringIO()
    demo = run.Demo(tmp_path, {}, lists, Report(Console(file=printed, width=300)), "", {"tw": node})
    monkeypatch.setattr(pass_steps, "write_population", partial(pass_steps.write_population, count=500))
    outbreak = pass_steps.own_outbreak(node)
    assert (set(outbreak.townships), outbreak.as_of) == ({"SG"}, at + timedelta(days=1))
    facts: dict[str, Any] = {}
    pass_steps.acquire_population(demo, node, outbreak, facts)
    pass_steps.assess_risk(demo, node, at, facts)
    assert (facts["residents"]["accepted"], facts["stays"]["accepted"], facts["tests"]["accepted"] > 0) == (
        500,
        0,
        True,
    )
    assert facts["risk_areas"]["areas"] == {"low": not placed, "medium": 0, "high": placed}
    assert "no stay in another can be shown" in printed.getvalue()
    assert "the list has no area below the country" in printed.getvalue()


@pytest.mark.parametrize(("files", "mappings", "error"), [
    ({"xx": Path("a.csv")}, {}, BadInput),
    ({"tw": Path("no-such.csv")}, {}, NotFound),
    ({}, {"pe": [Path("no-such.yaml")]}, NotFound),
])  # fmt: skip
def test_what_is_not_there_is_told_at_once(files: Any, mappings: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        line_lists(files, mappings)


def test_a_mapping_of_another_table_is_refused(tmp_path: Path) -> None:
    mapping = tmp_path / "tests.yaml"
    shipped = Path(sys.modules["hutong.demo.lists"].__file__ or "").parent / "mappings" / "tests.yaml"
    mapping.write_text(shipped.read_text("utf-8"), encoding="utf-8")
    with pytest.raises(BadInput, match="table test"):
        line_lists({}, {"tw": [mapping]})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_servers_too(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Ctrl-C does; after that the signal does what it did."""
    stopped: list[Path] = []

    @contextlib.contextmanager
    def serving(nodes: dict[Path, int]) -> Iterator[dict[int, int]]:
        try:
            yield dict.fromkeys(nodes.values(), 0)
        finally:
            stopped.extend(nodes)

    monkeypatch.setattr(run, "set_up", lambda _demo: None)
    monkeypatch.setattr(run.servers, "serving", serving)
    monkeypatch.setattr(run.exchange_steps, "introduce", lambda _demo: os.kill(os.getpid(), number))
    earlier = signal.signal(number, signal.SIG_DFL)
    try:
        with pytest.raises(SystemExit) as ended:
            run.run_demo(folder=tmp_path / "demo", port=free_port(), serve=False, json_file=None, files={}, mappings={})
        assert (ended.value.code, len(stopped)) == (128 + number, 3)
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, earlier)


def test_a_folder_is_one_demonstration_s_alone_while_it_runs(tmp_path: Path) -> None:
    """The next one would delete what the servers of this one still show."""
    own, other = tmp_path / "demo", tmp_path / "other"
    with room(own):
        (own / "kept").touch()
        with pytest.raises(Conflict, match="is running"), room(own):
            pass
        assert (own / "kept").is_file()
    with room(own):
        assert [path.name for path in own.iterdir()] == [MARKER]
    other.mkdir()
    (other / "mine").touch()
    with pytest.raises(Conflict, match="not empty"), room(other):
        pass
    assert (other / "mine").is_file()
