"""Codes, uploads, batches and destruction, on both databases; what is kept, what is told, and when it ends."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from hutong.errors import BadInput, NotFound, Refused, TooManyRequests
from hutong.governance import actions as governance
from hutong.node import Node
from hutong.passes.exposure import actions, queries
from hutong.passes.exposure.code import DIGITS, MOST_OPEN_CODES
from hutong.passes.exposure.export import Export, read_archive
from hutong.passes.exposure.key import FEWEST_KEYS, MORE_KEYS, ExposureKey
from hutong.storage import schema
from hutong.trust.authorisation import PUBLIC, ROLES, Actor
from tests.conftest import Clock
from tests.passes.exposure.conftest import EMERGENCY, SUNSET, Desk, declare

MakeDesk = Callable[..., Desk]


def read(node: Node, batch_id: str) -> Export:
    content = queries.archive(node, batch_id)[1]
    return read_archive(content, {queries.key_name(node): node.keys.passes.public_key()})


def publish(desk: Desk) -> tuple[queries.Batch, ...]:
    return actions.publish_batches(desk.node, by=desk.authority)


def rows(node: Node, table: sa.Table) -> list[dict[str, Any]]:
    with node.records.reading() as connection:
        return [dict(row._mapping) for row in connection.execute(sa.select(table))]


def exchange(desk: Desk, code: str, address: str = "192.0.2.7") -> str:
    return actions.exchange_code(desk.node, by=PUBLIC, code=code, address=address).token


def test_from_code_to_batch(make_desk: MakeDesk, clock: Clock, records: str) -> None:
    desk = make_desk()
    keys = desk.keys(days=5)
    token = desk.token(onset_on=date(2026, 2, 26))
    assert actions.upload_keys(desk.node, by=PUBLIC, token=token, keys=keys) == 5
    assert rows(desk.node, schema.verification_code) == [], "nothing of code or token is left"
    assert publish(desk) == (), "the window is not over"
    clock.advance(hours=4)
    (batch,) = publish(desk)
    told = read(desk.node, batch.id)
    assert FEWEST_KEYS <= batch.keys == len(told.keys) <= FEWEST_KEYS + MORE_KEYS
    assert {key.key_data for key in keys} <= {key.key_data for key in told.keys}
    found = {key.key_data: key for key in told.keys}
    assert [found[key.key_data].days_since_onset for key in keys] == [-2, -1, 0, 1, 2]
    assert (told.region, told.ends_at, told.starts_at) == ("TW", clock(), clock() - timedelta(hours=4))
    assert publish(desk) == (), "no key is told twice"
    clock.advance(hours=4)
    assert publish(desk) == (), "without a new key there is no batch"
    assert queries.batches(desk.node) == (batch,)


def test_a_key_that_still_lives_is_held_back(make_desk: MakeDesk, clock: Clock, records: str) -> None:
    desk = make_desk()
    alive = desk.keys(days=1, until=clock() + timedelta(days=1))
    assert alive[0].ends_at > clock()
    over = desk.keys(days=2)
    desk.upload([*over, *alive])
    told_at: dict[bytes, datetime] = {}
    for _ in range(12):
        clock.advance(hours=4)
        for batch in publish(desk):
            told_at |= {key.key_data: clock() for key in read(desk.node, batch.id).keys}
    assert told_at[alive[0].key_data] == datetime(2026, 3, 2, 4, tzinfo=UTC) >= alive[0].ends_at + timedelta(hours=2)
    assert {told_at[key.key_data] for key in over} == {datetime(2026, 3, 1, 12, tzinfo=UTC)}


def test_a_token_is_good_for_one_upload(make_desk: MakeDesk, clock: Clock, records: str) -> None:
    desk = make_desk()
    token = desk.token()
    bad = [ExposureKey(bytes(16), 0)]
    with pytest.raises(BadInput):
        actions.upload_keys(desk.node, by=PUBLIC, token=token, keys=bad)
    keys = desk.keys(days=3)
    actions.upload_keys(desk.node, by=PUBLIC, token=token, keys=keys)
    late = desk.token()
    clock.advance(hours=25)
    for wrong in (token, late, "", "x" * 43):
        with pytest.raises(Refused, match=r"^The token does not fit\."):
            actions.upload_keys(desk.node, by=PUBLIC, token=wrong, keys=keys)
    assert len(rows(desk.node, schema.exposure_key)) == 3
    # The same keys again, with a right: passed over.
    assert desk.upload(keys) == 3
    assert len(rows(desk.node, schema.exposure_key)) == 3


def test_wrong_codes_get_one_answer(make_desk: MakeDesk, clock: Clock, records: str) -> None:
    desk = make_desk()
    used = actions.issue_code(desk.node, by=desk.authority, emergency_id=EMERGENCY).code
    exchange(desk, used)
    old = actions.issue_code(desk.node, by=desk.authority, emergency_id=EMERGENCY).code
    clock.advance(minutes=61)
    declare(desk.node, "other")
    ended = actions.issue_code(desk.node, by=desk.authority, emergency_id="other").code
    governance.end_emergency(desk.node, by=desk.node.operator, emergency_id="other")
    answers = set()
    for number, code in enumerate((used, old, ended, "0" * DIGITS, "", "x" * 500, "٠١٢٣٤٥٦٧٠١٢٣", "a\x00b")):
        with pytest.raises(Refused) as told:
            exchange(desk, code, address=f"192.0.2.{number}")
        answers.add(str(told.value))
    assert len(answers) == 1


def test_guessing_is_slow(make_desk: MakeDesk, clock: Clock, records: str) -> None:
    desk = make_desk()
    code = actions.issue_code(desk.node, by=desk.authority, emergency_id=EMERGENCY).code
    wrong = f"{(int(code) + 1) % 10**DIGITS:0{DIGITS}d}"
    for _ in range(desk.node.settings.limits.sign_in_attempts):
        with pytest.raises(Refused):
            exchange(desk, wrong)
    with pytest.raises(TooManyRequests):
        exchange(desk, code)
    kept = [row["key"] for row in rows(desk.node, schema.sign_in_attempt)]
    assert len(kept) == 10
    assert not any("192.0.2" in key for key in kept), "an address is kept as a keyed hash only"
    for number in range(150):
        with pytest.raises(Refused):
            exchange(desk, wrong, address=f"198.51.100.{number}")
    assert exchange(desk, code, address="192.0.2.8"), "nobody else is held up, however many guess"
    clock.advance(minutes=6)
    with pytest.raises(Refused):
        exchange(desk, wrong)
    assert len(rows(desk.node, schema.sign_in_attempt)) == 1, "old tries are forgotten"


def test_few_codes_are_open_at_a_time(make_desk: MakeDesk, clock: Clock) -> None:
    desk = make_desk()
    full = [
        {
            "hash": f"{number:064d}",
            "stage": "code",
            "emergency": EMERGENCY,
            "report_type": 1,
            "expires_at": clock() + timedelta(minutes=30),
        }
        for number in range(MOST_OPEN_CODES)
    ]
    with desk.node.records.writing() as connection:
        connection.execute(schema.verification_code.insert(), full)
    with pytest.raises(TooManyRequests):
        actions.issue_code(desk.node, by=desk.authority, emergency_id=EMERGENCY)
    clock.advance(minutes=31)
    assert actions.issue_code(desk.node, by=desk.authority, emergency_id=EMERGENCY).code


def test_who_may_do_what(make_desk: MakeDesk) -> None:
    desk = make_desk()
    for role in (*ROLES, ""):
        roles = frozenset({role} - {""})
        who = Actor(id="somebody", kind="account" if role else "public", roles=roles, represents="tw")
        allowed = role in ("authority", "operator")
        for act in (
            lambda who=who: actions.issue_code(desk.node, by=who, emergency_id=EMERGENCY),
            lambda who=who: actions.publish_batches(desk.node, by=who),
            lambda who=who: actions.destroy_old(desk.node, by=who),
        ):
            if allowed:
                act()
            else:
                with pytest.raises(Refused):
                    act()


def test_what_a_code_may_say(make_desk: MakeDesk, clock: Clock) -> None:
    desk = make_desk()
    today = clock().date()
    for onset in (today + timedelta(days=1), today - timedelta(days=29)):
        with pytest.raises(BadInput):
            actions.issue_code(desk.node, by=desk.authority, emergency_id=EMERGENCY, onset_on=onset)
    with pytest.raises(BadInput):
        actions.issue_code(desk.node, by=desk.authority, emergency_id=EMERGENCY, report_type="revoked")
    with pytest.raises(Refused):
        actions.issue_code(desk.node, by=desk.authority, emergency_id="nothing")
    assert rows(desk.node, schema.verification_code) == []


def test_the_node_cannot_tell_whose_keys_they_are(make_desk: MakeDesk, clock: Clock, records: str) -> None:
    """Two phones upload a minute apart: no column and no order in the records tells which key is whose."""
    desk = make_desk()
    first, second = desk.keys(days=4), desk.keys(days=4)
    desk.upload(first)
    clock.advance(minutes=1)
    desk.upload(second)
    kept = rows(desk.node, schema.exposure_key)
    told = {tuple(v for k, v in row.items() if k not in ("key_data", "rolling_start", "ends_at")) for row in kept}
    assert len(kept) == 8
    assert len(told) == 1, "all else is the same for the keys of both"
    days = [
        {row["rolling_start"] for row in kept if row["key_data"] in {k.key_data for k in p}} for p in (first, second)
    ]
    assert days[0] == days[1]
    if records == "sqlite":
        with pytest.raises(sa.exc.OperationalError), desk.node.records.engine.connect() as connection:
            connection.execute(sa.text("SELECT rowid FROM exposure_key"))
        assert sqlite3.sqlite_version_info > (3, 8)
    # After publication not even real and random ones differ.
    clock.advance(hours=4)
    publish(desk)
    kept = rows(desk.node, schema.exposure_key)
    assert (
        len({tuple(v for k, v in row.items() if k not in ("key_data", "rolling_start", "ends_at")) for row in kept})
        == 1
    )


def test_the_log_holds_no_key_no_code_and_no_upload(make_desk: MakeDesk, clock: Clock, records: str) -> None:
    desk = make_desk()
    code = actions.issue_code(desk.node, by=desk.authority, emergency_id=EMERGENCY)
    token = exchange(desk, code.code)
    before = desk.node.log.size()
    keys = desk.keys(days=3)
    actions.upload_keys(desk.node, by=PUBLIC, token=token, keys=keys)
    assert desk.node.log.size() == before, "who reported when is nobody's business"
    clock.advance(hours=4)
    (batch,) = publish(desk)
    clock.advance(days=15)
    actions.destroy_old(desk.node, by=desk.node.operator)
    entries = [entry.event for entry in desk.node.log.entries(limit=500)]
    about = [event for event in reversed(entries) if event["kind"].startswith("exposure")]
    kinds = ["exposure-code.issued", "exposure-batch.published", "exposure-data.destroyed"]
    assert [event["kind"] for event in about] == kinds
    assert (about[1]["sha256"], about[1]["keys"]) == (batch.sha256, batch.keys)
    # The count of destroyed keys is that of the batch, random ones too: it does not tell how many phones reported.
    assert [about[2][name] for name in ("because", "codes", "keys", "batches")] == ["age", 0, batch.keys, 1]
    text = orjson.dumps(about).decode()
    secrets = [code.code, token, *(key.key_data.hex() for key in keys)]
    assert not any(secret in text for secret in secrets)


def test_old_things_go(make_desk: MakeDesk, clock: Clock, records: str) -> None:
    desk = make_desk()
    actions.issue_code(desk.node, by=desk.authority, emergency_id=EMERGENCY)
    desk.token()
    desk.upload(desk.keys(days=1))
    assert actions.destroy_old(desk.node, by=desk.node.operator) == ()
    clock.advance(hours=4)
    (batch,) = publish(desk)
    (gone,) = actions.destroy_old(desk.node, by=desk.node.operator)
    assert (gone.because, gone.codes, gone.keys, gone.batches) == ("age", 1, 0, 0)
    clock.advance(days=13, hours=11, minutes=59)
    (gone,) = actions.destroy_old(desk.node, by=desk.node.operator)
    assert (gone.codes, gone.keys, gone.batches) == (1, 0, 0), "the token, after a day"
    clock.advance(minutes=1)
    (gone,) = actions.destroy_old(desk.node, by=desk.node.operator)
    assert (gone.keys, gone.batches) == (batch.keys, 0), "keys 14 days after their end"
    clock.advance(hours=12)
    (gone,) = actions.destroy_old(desk.node, by=desk.node.operator)
    assert (gone.keys, gone.batches) == (0, 1), "batches after 14 days"
    assert queries.batches(desk.node) == ()
    with pytest.raises(NotFound):
        queries.archive(desk.node, batch.id)
    assert actions.destroy_old(desk.node, by=desk.node.operator) == ()


@pytest.mark.parametrize("how", ["sunset", "ended early"])
def test_with_the_emergency_everything_ends(make_desk: MakeDesk, clock: Clock, records: str, how: str) -> None:
    desk = make_desk()
    clock.now = datetime(2026, 4, 30, 19, tzinfo=UTC)
    desk.upload(desk.keys(days=2))
    clock.advance(hours=4)
    (batch,) = publish(desk)
    open_code = actions.issue_code(desk.node, by=desk.authority, emergency_id=EMERGENCY)
    assert open_code.expires_at == datetime.combine(SUNSET, datetime.min.time(), UTC), "no code outlives the emergency"
    token = desk.token()
    if how == "sunset":
        clock.advance(hours=1)
    else:
        governance.end_emergency(desk.node, by=desk.node.operator, emergency_id=EMERGENCY)
    keys = desk.keys(days=2)
    refused: list[Callable[[], object]] = [
        lambda: actions.issue_code(desk.node, by=desk.authority, emergency_id=EMERGENCY),
        lambda: exchange(desk, open_code.code),
        lambda: actions.upload_keys(desk.node, by=PUBLIC, token=token, keys=keys),
        lambda: actions.publish_batches(desk.node, by=desk.authority),
        lambda: queries.batches(desk.node),
        lambda: queries.archive(desk.node, batch.id),
    ]
    for act in refused:
        with pytest.raises(Refused):
            act()
    (gone,) = actions.destroy_old(desk.node, by=desk.node.operator)
    assert (gone.because, gone.codes, gone.keys, gone.batches) == ("emergency-over", 2, batch.keys, 1)
    for table in (schema.verification_code, schema.exposure_key, schema.exposure_batch):
        assert rows(desk.node, table) == []


def test_emergencies_do_not_mix(make_desk: MakeDesk, clock: Clock) -> None:
    desk = make_desk()
    declare(desk.node, "other", sunset=date(2026, 4, 15))
    here, there = desk.keys(days=2), desk.keys(days=2)
    desk.upload(here)
    actions.upload_keys(desk.node, by=PUBLIC, token=desk.token(emergency_id="other"), keys=there)
    clock.advance(hours=4)
    made = {batch.emergency: {key.key_data for key in read(desk.node, batch.id).keys} for batch in publish(desk)}
    assert set(made) == {EMERGENCY, "other"}
    assert {key.key_data for key in here} <= made[EMERGENCY]
    assert {key.key_data for key in there} <= made["other"]
    assert not made[EMERGENCY] & made["other"]


def test_a_pass_key_that_has_ended_signs_nothing(make_desk: MakeDesk, clock: Clock) -> None:
    desk = make_desk()
    clock.advance(days=366)
    declare_late(desk.node, clock)
    with pytest.raises(Refused, match="key that signs"):
        publish(desk)


def declare_late(node: Node, clock: Clock) -> None:
    from hutong.governance.emergency import Emergency

    texts, day = {"en": "Late", "zh": "后来"}, clock().date()
    late = Emergency("late", texts, texts, texts, "TW", day, day + timedelta(days=10), day + timedelta(days=20))
    governance.declare_emergency(node, by=node.operator, emergency_=late)
