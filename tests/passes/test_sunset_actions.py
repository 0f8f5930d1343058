"""After the sunset: nothing is issued, renewed or accepted, and nothing about a person is left, in no table or file."""

from __future__ import annotations

import fcntl
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from hutong.acquisition import actions as acquisition
from hutong.acquisition.boundary import Boundary
from hutong.acquisition.receipt import Receipt
from hutong.acquisition.source import Source
from hutong.errors import NotFound, Refused
from hutong.governance import actions as governance
from hutong.governance.emergency import Emergency
from hutong.node import Node
from hutong.passes.appeal import actions as appeal_actions
from hutong.passes.appeal import correction_actions
from hutong.passes.appeal import queries as appeal_queries
from hutong.passes.appeal.appeal import Outcome, Subject
from hutong.passes.appeal.correction import LevelChange
from hutong.passes.exposure import actions as exposure_actions
from hutong.passes.exposure.key import DAY_INTERVALS, ExposureKey, interval_number
from hutong.passes.issuance import actions as pass_actions
from hutong.passes.issuance import key_actions, renewal_actions
from hutong.passes.issuance import queries as pass_queries
from hutong.passes.level import actions as level_actions
from hutong.passes.recognition.verdict import Answer
from hutong.passes.recognition.verification import verify_pass
from hutong.passes.sunset import actions as sunset_actions
from hutong.passes.sunset import queries as sunset_queries
from hutong.passes.trust_bundle import queries as bundle_queries
from hutong.passes.trust_bundle.trust_bundle import TrustSnapshot
from hutong.rights import vault
from hutong.rights.person import known_pseudonym
from hutong.rights.sunset import Destruction, Kind
from hutong.standard import arrow_schema
from hutong.storage import inbox, schema
from hutong.trust.authorisation import PUBLIC, Actor
from tests.conftest import Clock, NewNode
from tests.passes import region
from tests.passes.region import LI, STEWARD, WANG

NUMBER = "A123456789"
SUNSET = datetime(2026, 4, 1, tzinfo=UTC)
SOURCE = Source("lab", {"en": "Laboratory", "zh": "实验室"}, "Lab", "TW", "https://example.org/l", "", "")
PERSONAL_RECORDS = ("level_override", "access_grant", "receipt_item", "inbox", "vault_entry", "exposure_key")


def resident(number: str) -> Actor:
    return Actor(number, "account", frozenset({"resident"}), "tw")


def fact(node: Node, number: str, receipt: str, known_at: datetime) -> pa.Table:
    """A person as acquisition leaves one in the inbox."""
    fields = arrow_schema(node.standard.table("person"), node.standard.lineage)
    row = {
        **{"pseudonym": region.pseudonym(node, number), "residence_area_code": region.QUIET},
        **{"known_at": known_at, "receipt_id": receipt, "source_id": "lab", "row_number": 1, "fact_id": f"{receipt}-1"},
    }
    return pa.Table.from_pylist([row], schema=pa.schema([field.with_nullable(True) for field in fields]))


def collect(node: Node, number: str, *, receipt_id: str, boundary: str) -> None:
    """A file of one person: receipt, row in the inbox, identifiers in the vault, and a row that was held."""
    counts = {"rows": 2, "accepted": 1, "held": 1, "rejected": 0}
    receipt = Receipt(
        **{"id": receipt_id, "source": "lab", "table": "person", "file_name": "f.csv", "file_sha256": receipt_id},
        **{"file_bytes": 1, "mapping": "m@1", "mapping_sha256": "m", "boundary": boundary, **counts},
        **{"findings": (), "refused_values": {}, "columns_outside": (), "received_at": node.clock(), "seconds": 0.0},
    )
    columns = {"id", "source", "file_sha256", "mapping_sha256", "received_at", *counts}
    rows = fact(node, number, receipt_id, node.clock())
    held = {"receipt": receipt_id, "row_number": 2, "outcome": "held", "rule": "r", "element": "e", "reason": "late"}
    with node.change(node.operator, unlogged="a test's own") as change:
        values = {name: getattr(receipt, name) for name in columns}
        change.execute(schema.receipt.insert().values(**values, table_name="person", body=receipt.document()))
        change.execute(schema.receipt_item.insert().values(**held, raw={"id": number}))
        inbox.put(change.connection, table="person", receipt=receipt_id, rows=1, payload=inbox.pack(rows))
        vault.keep(node, change, [{"pseudonym": region.pseudonym(node, number), "name": f"Name of {number}"}])


def declare_flu(node: Node) -> None:
    texts = {"en": "Influenza", "zh": "流感"}
    days = (date(2026, 2, 1), date(2026, 4, 1), date(2026, 6, 1))
    governance.declare_emergency(node, by=node.operator, emergency_=Emergency("flu", texts, texts, texts, "TW", *days))


def set_boundary(node: Node, name: str, emergency: str, until: date) -> None:
    allowed = {"person": frozenset({"pseudonym", "residence_area_code", "sex"})}
    acquisition.set_boundary(node, by=LI, boundary=Boundary(name, emergency, "Levels", allowed, until))


def live(node: Node, clock: Clock) -> pass_actions.IssuedPass:
    """All that can come to be known of people under an emergency."""
    region.fill(node)
    acquisition.declare_source(node, by=STEWARD, source=SOURCE)
    set_boundary(node, "people", "dengue-2015", date(2026, 3, 31))
    collect(node, NUMBER, receipt_id="dengue-file", boundary="people")
    governance.create_account(
        *(node,),
        by=node.operator,
        name=NUMBER,
        display_name="Ms Chen",
        roles=frozenset({"resident"}),
        password="x" * 12,
    )
    governance.sign_in(node, name=NUMBER, password="x" * 12, address="192.0.2.7")
    governance.create_account(
        *(node,), by=node.operator, name="gate", display_name="Gate", roles=frozenset({"verifier"}), password="x" * 12
    )
    filed = appeal_actions.file_appeal(
        node, by=resident("R5"), person="R5", subject=Subject.LEVEL, statement="My fever was my own business."
    )
    appeal_actions.acknowledge_appeal(node, by=LI, appeal_id=filed.id)
    appeal_actions.take_evidence(node, by=LI, appeal_id=filed.id, question="")
    change = LevelChange("low", "appeal-upheld", "The thermometer was broken.", clock() + timedelta(days=7))
    appeal_actions.decide_appeal(
        **{"node": node, "by": LI, "second": WANG, "appeal_id": filed.id},
        **{"outcome": Outcome.UPHELD, "reason": "A broken thermometer.", "change_to": change},
    )
    correction_actions.grant_access(
        *(node,),
        by=resident("R1"),
        person="R1",
        application="gate",
        purpose="Work",
        ends_at=clock() + timedelta(days=9),
    )
    expose(node)
    return pass_actions.issue_pass(node, by=LI, person="R2", hours=168)


def expose(node: Node) -> None:
    code = exposure_actions.issue_code(node, by=LI, emergency_id="dengue-2015")
    token = exposure_actions.exchange_code(node, by=PUBLIC, code=code.code, address="192.0.2.1").token
    today = interval_number(node.clock())
    first = today - today % DAY_INTERVALS - DAY_INTERVALS
    exposure_actions.upload_keys(node, by=PUBLIC, token=token, keys=[ExposureKey(Random(1).randbytes(16), first)])


def count(node: Node, table: str) -> int:
    query = sa.select(sa.func.count()).select_from(schema.metadata.tables[table])
    with node.records.reading() as connection:
        return int(connection.execute(query).scalar_one())


def derived(node: Node) -> dict[str, int]:
    """Rows of what was computed of persons: their levels, now and before."""
    tables = [name for name in node.lake.tables() if name not in node.standard.tables]
    rows = {name: node.engine.to_arrow(node.engine.table(name)) for name in tables}
    found = {name: held.num_rows for name, held in rows.items() if "pseudonym" in held.column_names}
    assert found["person_status"] == len(region.RESIDENTS)
    return found


def traces(node: Node) -> list[str]:
    """Files below the node's folder that hold something of a person."""
    texts = [NUMBER, "my own business", "thermometer", "Ms Chen"]
    texts += [region.pseudonym(node, number) for number in (*region.RESIDENTS, NUMBER)]
    marks = [text.encode() for text in texts]
    files = [path for path in Path(node.settings.folder).rglob("*") if path.is_file()]
    assert len(files) > 20
    return sorted({path.name for path in files for mark in marks if mark in path.read_bytes()})


def end(node: Node) -> tuple[Destruction, ...]:
    return sunset_actions.end_what_is_over(node, by=LI)


def trust(node: Node) -> TrustSnapshot:
    return bundle_queries.trust_snapshot(node)


def shown(node: Node, text: str, bundle: TrustSnapshot | None = None) -> tuple[Answer, str]:
    found = verify_pass(text, trust=bundle or trust(node), scene="workplace", at=node.clock())
    return found.answer, found.reasons[0].rule_id


def test_before_the_sunset_everything_works_and_nothing_is_destroyed(
    new_node: NewNode, clock: Clock, records: str
) -> None:
    node = new_node()
    issued = live(node, clock)
    assert shown(node, issued.text)[0] is Answer.ACCEPTED
    before = node.log.size()
    clock.now = SUNSET - timedelta(seconds=1)
    assert sunset_actions.what_is_over(node) == end(node) == ()
    assert node.log.size() == before
    assert all(count(node, table) for table in PERSONAL_RECORDS if table != "inbox")
    if node.records.is_sqlite:
        assert traces(node)


def test_after_the_sunset_nothing_about_a_person_is_left(new_node: NewNode, clock: Clock, records: str) -> None:
    node = new_node()
    issued = live(node, clock)
    gate = trust(node)
    clock.now = SUNSET
    refuses(node, issued, gate)
    levels = derived(node)
    foreseen = sunset_actions.what_is_over(node)
    assert node.log.entries(limit=1)[0].event["kind"] != "status-data.destroyed"
    assert foreseen == end(node)
    (done,) = foreseen
    assert dict(done.counts) == {
        **levels,
        **{"person": 9, "stay": 1, "symptom": 1, "test": 1, "contact": 1, "vault_entry": 9},
        **{"issued_pass": 1, "appeal": 1, "level_override": 1, "access_grant": 1, "receipt_item": 1, "account": 1},
        "exposure_key": 1,
    }
    assert (done.emergency, done.because, done.ended_at) == ("dengue-2015", "sunset", SUNSET)
    (event,) = (entry.event for entry in node.log.entries(kind="status-data.destroyed"))
    assert (event["by"], event["counts"], event["rows"]) == ("li", dict(done.counts), done.total)
    for table in PERSONAL_RECORDS:
        assert count(node, table) == 0
    for name in ("person", "stay", "symptom", "test", "contact", *levels):
        assert node.engine.to_arrow(node.engine.table(name)).num_rows == 0
        assert len(node.lake._load(name).snapshots()) == 1
    assert node.engine.to_arrow(node.engine.table("case")).num_rows == sum(region.CASES.values())
    assert traces(node) == []
    refuses(node, issued, gate)
    node.log.check()


def refuses(node: Node, issued: pass_actions.IssuedPass, gate: TrustSnapshot) -> None:
    """Neither issue nor renewal, nor a level; a gate that is offline or not says that the pass has expired."""
    for act in (
        lambda: pass_actions.issue_pass(node, by=LI, person="R2"),
        lambda: pass_actions.issue_pass(node, by=resident("R2"), person="R2"),
        lambda: renewal_actions.renew_pass(node, by=LI, pass_id=issued.pass_id),
        lambda: level_actions.decide_levels(node, by=LI, rulebook_id="dengue-3", as_of=date(2026, 4, 1)),
        lambda: appeal_actions.file_appeal(
            node, by=resident("R2"), person="R2", subject=Subject.FACT, statement="Still?"
        ),
    ):
        # Once the vault is empty, nobody of that number is known.
        with pytest.raises((Refused, NotFound)):
            act()
    with pytest.raises(Refused, match="No emergency is in force"):
        pass_actions.issue_pass(node, by=LI, person="R2")
    assert shown(node, issued.text, gate) == (Answer.REFUSED, "expired")
    assert shown(node, issued.text) == (Answer.REFUSED, "expired")


def test_the_second_run_does_nothing(new_node: NewNode, clock: Clock) -> None:
    node = new_node()
    live(node, clock)
    clock.now = SUNSET
    assert len(end(node)) == 1
    size = node.log.size()
    for _ in range(2):
        assert sunset_actions.what_is_over(node) == end(node) == ()
        clock.advance(days=2)
    assert node.log.size() == size


def test_what_is_kept_of_an_appeal_is_its_time_and_outcome(new_node: NewNode, clock: Clock) -> None:
    node = new_node()
    live(node, clock)
    before = appeal_queries.appeal_statistics(node)
    clock.now = SUNSET
    end(node)
    after = appeal_queries.appeal_statistics(node)
    assert (after.filed, after.decided, after.outcomes) == (before.filed, before.decided, before.outcomes)
    with node.records.reading() as connection:
        (body,) = connection.execute(sa.select(schema.appeal.c.body)).scalars()
    assert (body["pseudonym"], body["statement"], body["messages"], body["filed_by"]) == ("", "", [], "")
    assert (body["decision"]["outcome"], body["decision"]["by"], body["decision"]["reason"]) == ("upheld", "li", "")
    assert appeal_queries.appeals_by_deadline(node, LI) == []


def test_an_emergency_that_is_ended_early_takes_its_passes_along(new_node: NewNode, clock: Clock) -> None:
    node = new_node()
    issued = live(node, clock)
    governance.end_emergency(node, by=LI, emergency_id="dengue-2015")
    assert shown(node, issued.text) == (Answer.REFUSED, "emergency-ended")
    (done,) = end(node)
    assert (done.because, done.ended_at) == ("ended", clock.now)
    assert shown(node, issued.text) == (Answer.REFUSED, "emergency-ended")
    record = pass_queries.pass_record(node, issued.pass_id)
    assert record.revoked_by_rule == "emergency-over"
    assert traces(node) == []
    # Once it has expired, the row that the status list needed goes as well.
    clock.advance(days=8)
    (rest,) = end(node)
    assert dict(rest.counts) == {"issued_pass": 1}
    with pytest.raises(NotFound):
        pass_queries.pass_record(node, issued.pass_id)
    assert end(node) == ()


def test_data_of_another_emergency_stay(new_node: NewNode, clock: Clock, records: str) -> None:
    node = new_node()
    declare_flu(node)
    live(node, clock)
    set_boundary(node, "flu-people", "flu", date(2026, 5, 31))
    collect(node, "B1", receipt_id="flu-file", boundary="flu-people")
    collect(node, "B2", receipt_id="dengue-file-2", boundary="people")
    collect(node, "B2", receipt_id="flu-file-2", boundary="flu-people")
    clock.now = SUNSET
    levels = derived(node)
    assert sunset_actions.what_is_over(node) == (done := end(node))
    # The facts of the region come without receipt; as long as an emergency is in force, they may be its.
    assert dict(done[0].counts) == {
        **levels,
        **{"person": 2, "vault_entry": 1, "receipt_item": 2, "issued_pass": 1, "appeal": 1},
        **{"level_override": 1, "access_grant": 1, "exposure_key": 1},
    }
    names = set(node.engine.to_arrow(node.engine.table("person"))["pseudonym"].to_pylist())
    expected = {region.pseudonym(node, number) for number in (*region.RESIDENTS, "B1", "B2")}
    assert names == expected
    assert known_pseudonym(node, "B1") and known_pseudonym(node, "B2")
    with pytest.raises(NotFound):
        known_pseudonym(node, NUMBER)
    clock.now = datetime(2026, 6, 1, tzinfo=UTC)
    (rest,) = end(node)
    assert (rest.emergency, rest.counts["person"], rest.counts["vault_entry"]) == ("flu", 10, 10)
    assert count(node, "vault_entry") == 0
    assert [entry.event["emergency"] for entry in node.log.entries(kind="status-data.destroyed")] == [
        "flu",
        "dengue-2015",
    ]


def test_an_emergency_without_data_ends_with_an_entry_too(new_node: NewNode, clock: Clock) -> None:
    node = new_node()
    region.declare(node)
    clock.now = SUNSET
    (done,) = end(node)
    assert (done.total, end(node)) == (0, ())
    key = node.keys.pass_key_id
    with pytest.raises(Refused, match="Every emergency is over"):
        key_actions.rotate_pass_key(node, by=LI)
    assert node.keys.pass_key_id == key


def test_who_may_destroy(new_node: NewNode, clock: Clock) -> None:
    node = new_node()
    region.declare(node)
    clock.now = SUNSET
    for nobody in (STEWARD, PUBLIC, resident("R1")):
        with pytest.raises(Refused):
            sunset_actions.end_what_is_over(node, by=nobody)


def test_a_destruction_that_was_cut_short_is_repeated(
    new_node: NewNode, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = new_node()
    live(node, clock)
    clock.now = SUNSET

    def fail(*_: Any) -> int:
        raise OSError("the power went out")

    with monkeypatch.context() as broken:
        broken.setattr(node.lake.__class__, "purge", fail)
        with pytest.raises(OSError, match="power"):
            end(node)
    assert traces(node)
    (done,) = end(node)
    assert done.counts["vault_entry"] == 9
    assert traces(node) == []


def test_a_file_that_came_in_after_the_destruction_is_destroyed_too(new_node: NewNode, clock: Clock) -> None:
    node = new_node()
    live(node, clock)
    clock.now = SUNSET
    end(node)
    collect(node, "B3", receipt_id="late-file", boundary="people")
    (done,) = end(node)
    assert dict(done.counts) == {"person": 1, "vault_entry": 1, "receipt_item": 1}


def test_what_ends_when(new_node: NewNode, clock: Clock) -> None:
    node = new_node()
    live(node, clock)
    found = sunset_queries.endings(node)
    assert {(one.kind, one.id.partition(":")[0], one.ends_at.date()) for one in found} == {
        (Kind.RULEBOOK, "dengue-3@1.1.0", date(2026, 3, 31)),
        (Kind.CODE_TYPE, "pass", date(2026, 3, 31)),
        (Kind.BOUNDARY, "people", date(2026, 4, 1)),
        (Kind.EMERGENCY, "dengue-2015", date(2026, 4, 1)),
        (Kind.KEY, "passes", date(2027, 3, 1)),
        (Kind.KEY, "signing", date(2028, 2, 29)),
    }
    governance.end_emergency(node, by=LI, emergency_id="dengue-2015")
    over = {one.kind for one in sunset_queries.endings(node) if one.is_over(clock())}
    assert over == {Kind.RULEBOOK, Kind.CODE_TYPE, Kind.BOUNDARY, Kind.EMERGENCY}


def test_a_revoked_agreement_has_ended(node: Node, clock: Clock) -> None:
    known = {"request": "r", "dataset": "d", "provider": "tw", "recipient": "x", "signed": ""}
    later = clock() + timedelta(days=30)
    with node.change(node.operator, unlogged="a test's own") as change:
        for name, revoked in (("one", None), ("two", clock())):
            change.execute(
                schema.agreement.insert().values(
                    **known, id=name, agreed_at=clock(), expires_at=later, revoked_at=revoked
                )
            )
    ends = {one.id: one.ends_at for one in sunset_queries.endings(node) if one.kind is Kind.AGREEMENT}
    assert ends == {"one": later, "two": clock()}


def test_nobody_writes_to_the_lake_meanwhile(new_node: NewNode, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    node = new_node()
    live(node, clock)
    clock.now = SUNSET
    writers = ("inbox.lock", "levels.lock")
    seen = []
    delete = type(node.lake).delete_where

    def watched(*given: Any) -> int:
        for name in writers:
            with (node.settings.folder / name).open("w") as file, pytest.raises(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        seen.append(given[1])
        return delete(*given)

    monkeypatch.setattr(type(node.lake), "delete_where", watched)
    end(node)
    assert "person" in seen
    for name in writers:
        with (node.settings.folder / name).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
