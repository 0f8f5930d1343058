"""The minimal pass: small, unlinkable, whole; what is changed by one bit never verifies."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.errors import BadInput, HutongError, LimitExceeded
from hutong.passes.credential import base45, cbor, cose, hcert, level_pass, picture
from hutong.passes.credential.keys import KeyRing, write_jwk
from hutong.passes.credential.read import read_pass

NOW = dt.datetime(2026, 11, 21, 8, 0, tzinfo=dt.UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
KEY_ID = b"\x01\x02\x03\x04\x05\x06\x07\x08"
RING = KeyRing.of([write_jwk(KEY.public_key(), KEY_ID)])
SIGNER = level_pass.PassSigner(KEY, KEY_ID)
SECRET = b"holder secret of 24 byte"


def make(pass_id: bytes = b"\xa1\xb2\xc3\xd4\xe5\xf6\x07\x18", **changes: object) -> level_pass.LevelPass:
    claims = level_pass.LevelPass(
        issuer="tw",
        issued_at=NOW,
        expires_at=NOW + dt.timedelta(hours=24),
        level="medium",
        rulebook="dengue-tw",
        version="1.12.3",
        pass_id=pass_id,
        status_index=9_999_999,
        commitment=level_pass.commit_holder(pass_id, SECRET),
    )
    return dataclasses.replace(claims, **changes)  # type: ignore[arg-type]


def test_sizes() -> None:
    claims = make(rulebook="dengue-tnn")
    assert len(claims.issuer + claims.level + claims.rulebook) == 18
    assert len(SIGNER.sign(claims)) <= 160
    assert picture.version_of(SIGNER.issue(claims)) <= 11


LISTS = (0, 255, 256, 65_535)
LAST_POSITION = (1 << 24) - 1


@pytest.mark.parametrize("number", LISTS)
def test_names_that_fit_fit_in_every_status_list(number: int) -> None:
    for position in (0, 23, 255, 65_535, 99_991, (1 << 20) - 1, LAST_POSITION):
        claims = make(os.urandom(8), rulebook="dengue-tnn", status_index=(number << 24) + position)
        assert len(SIGNER.sign(claims)) <= 158
        text = SIGNER.issue(claims)
        assert picture.version_of(text) <= 11
        read = read_pass(text, keys=RING).claims
        assert read == claims and (read.status_list, read.status_position) == (number, position)
        longest = dataclasses.replace(claims, rulebook="dengue-tnn7")
        refused = dataclasses.replace(claims, rulebook="dengue-tnn-and-more")
        assert picture.version_of(SIGNER.issue(longest)) <= 11
        with pytest.raises(LimitExceeded):
            SIGNER.issue(refused)
        facts = dataclasses.replace(refused, digests=level_pass.digests_of(FACTS))
        assert read_pass(SIGNER.issue(facts), keys=RING).claims == facts


@settings(max_examples=200, deadline=None)
@given(
    st.text("abcdefXYZ019", min_size=1, max_size=20), st.sampled_from(["0.0.1", "1.12.3", "24.300.9", "99999.9999.0"])
)
def test_what_is_issued_without_facts_always_fits(rulebook: str, version: str) -> None:
    """Whatever the names are: at most 160 bytes and version 11-Q, or refused."""
    claims = make(os.urandom(8), rulebook=rulebook, version=version, status_index=(65_535 << 24) + LAST_POSITION)
    try:
        text = SIGNER.issue(claims)
    except LimitExceeded:
        assert len(SIGNER.sign(claims)) >= 160
        return
    assert len(hcert.unpack(text)) <= 160 and picture.version_of(text) <= 11


def test_a_pass_of_an_earlier_release_is_read_in_every_status_list() -> None:
    """It wrote each index as a number of its own."""
    entries = ["low", "r", [1, 0, 0], b"12345678", (300 << 24) + 7, b"1" * 12]
    body = {1: "tw", 4: 1_900_000_000, 6: 1_800_000_000, -260: {level_pass.CLAIM: entries}}
    read = read_pass(hcert.pack(cose.Signer(KEY, KEY_ID).sign(cbor.dumps(body))), keys=RING).claims
    assert read is not None and (read.pass_id, read.status_list, read.status_position) == (b"12345678", 300, 7)


def test_names_that_do_not_fit_the_picture_are_refused() -> None:
    with pytest.raises(LimitExceeded):
        SIGNER.issue(make(rulebook="a-very-long-name-of-a-rulebook"))


def test_read_again() -> None:
    claims = make()
    read = read_pass(SIGNER.issue(claims), keys=RING)
    assert (read.kind, read.signature_valid, read.claims) == ("hutong", True, claims)
    assert (read.issuer, read.issued_at, read.expires_at) == ("tw", NOW, NOW + dt.timedelta(hours=24))
    assert read.payload["level"] == "medium"
    assert read.payload["version"] == "1.12.3"
    assert not {"nam", "name", "dob", "birthDate"} & read.payload.keys()
    assert read.warnings == ()


def test_without_a_fitting_key_the_signature_is_unknown() -> None:
    text = SIGNER.issue(make())
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    assert read_pass(text).signature_valid is None
    assert read_pass(text, keys=[write_jwk(other, b"87654321")]).signature_valid is None
    assert read_pass(text, keys=[write_jwk(other, KEY_ID)]).signature_valid is False


def test_status_index_names_list_and_position() -> None:
    claims = make(status_index=(3 << 24) + 17)
    assert (claims.status_list, claims.status_position) == (3, 17)


def test_holder_commitment() -> None:
    claims = make()
    assert level_pass.is_held_by(claims, SECRET)
    assert not level_pass.is_held_by(claims, SECRET + b"x")
    other = make(pass_id=b"another id")
    assert other.commitment != claims.commitment


def test_two_passes_of_one_holder_share_only_what_all_of_that_day_share() -> None:
    first, second = make(), make(pass_id=b"\x00" * 8, status_index=5)
    shared = {
        field.name for field in dataclasses.fields(first) if getattr(first, field.name) == getattr(second, field.name)
    }
    assert shared == {"issuer", "issued_at", "expires_at", "level", "rulebook", "version", "digests"}


FACTS = (
    level_pass.Fact("vaccinated", True, b"s" * 16),
    level_pass.Fact("region", "TNN", b"t" * 16),
)


def test_facts_are_disclosed_one_by_one() -> None:
    claims = make(digests=level_pass.digests_of(FACTS))
    text = SIGNER.issue(claims)
    assert read_pass(text, keys=RING).payload["facts"] == {}
    shown = level_pass.disclose(text, FACTS[:1])
    read = read_pass(shown, keys=RING)
    assert (read.payload["facts"], read.signature_valid) == ({"vaccinated": True}, True)
    assert "TNN" not in str(read)


@pytest.mark.parametrize(
    "facts",
    [
        [level_pass.Fact("vaccinated", False, b"s" * 16)],
        [level_pass.Fact("vaccinated", True, b"u" * 16)],
        [level_pass.Fact("vaccinated", True, b"short")],
        [FACTS[0], FACTS[0]],
    ],
)
def test_a_false_fact_is_refused(facts: list[level_pass.Fact]) -> None:
    text = SIGNER.issue(make(digests=level_pass.digests_of(FACTS)))
    with pytest.raises(BadInput):
        read_pass(level_pass.disclose(text, facts), keys=RING)


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": ""},
        {"level": "two words"},
        {"rulebook": "x" * 33},
        {"version": "1.2"},
        {"version": "1.2.3-beta"},
        {"version": "01.2.3"},
        {"pass_id": b"short"},
        {"commitment": b""},
        {"status_index": -1},
        {"status_index": True},
        {"expires_at": NOW},
        {"digests": (b"x",)},
    ],
)
def test_a_pass_refuses_to_be_built_wrong(changes: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        make(**changes)


@pytest.mark.parametrize(
    "entries",
    [
        *(None, [], [1, 2, 3, 4, 5, 6], ["low", "r", [1, 2, "x"], b"12345678", 1, b"1" * 12], ["low"] * 6),
        *(["low", "r", [1, 0, 0], joined, b"1" * 12] for joined in (b"", b"1234", b"1234567" + b"\xff" * 5)),
        ["low", "r", [1, 0, 0], b"12345678\x00\xff\xff\xff\xff", b"1" * 12],  # an index that has a shorter form
        ["low", "r", [1, 0, 0], b"12345678" + b"\xff" * 5, 7, b"1" * 12, [], []],
    ],
)
def test_foreign_content_under_the_claim_key_is_refused(entries: object) -> None:
    payload = cbor.dumps({1: "tw", 4: 1_900_000_000, 6: 1_800_000_000, -260: {level_pass.CLAIM: entries}})
    text = hcert.pack(cose.Signer(KEY, KEY_ID).sign(payload))
    with pytest.raises(BadInput):
        read_pass(text, keys=RING)


def test_a_key_on_another_curve_signs_nothing() -> None:
    with pytest.raises(BadInput):
        level_pass.PassSigner(ec.generate_private_key(ec.SECP384R1()), KEY_ID)


codes = st.text("abcXYZ019", min_size=1, max_size=5)
numbers = st.integers(0, 255)


@settings(max_examples=60, deadline=None)
@given(
    issuer=codes,
    level=codes,
    rulebook=codes,
    version=st.tuples(numbers, numbers, numbers),
    pass_id=st.binary(min_size=8, max_size=9),
    status_index=st.integers(0, 2**32 - 1),
    seconds=st.integers(1, 10**8),
)
def test_round_trip(
    issuer: str,
    level: str,
    rulebook: str,
    version: tuple[int, int, int],
    pass_id: bytes,
    status_index: int,
    seconds: int,
) -> None:
    claims = make(
        pass_id=pass_id,
        issuer=issuer,
        level=level,
        rulebook=rulebook,
        version=".".join(map(str, version)),
        status_index=status_index,
        expires_at=NOW + dt.timedelta(seconds=seconds),
    )
    read = read_pass(SIGNER.issue(claims), keys=RING)
    assert (read.claims, read.signature_valid) == (claims, True)


MESSAGE = SIGNER.sign(make())


def test_no_flipped_bit_verifies() -> None:
    """Every single bit of the signed message, one after another."""
    accepted = []
    for position in range(len(MESSAGE) * 8):
        changed = bytearray(MESSAGE)
        changed[position // 8] ^= 1 << position % 8
        try:
            read = read_pass(hcert.pack(bytes(changed)), keys=RING)
        except HutongError:
            continue
        if read.signature_valid is True:
            accepted.append(position)
    assert accepted == []


@settings(max_examples=100, deadline=None)
@given(position=st.integers(4, len(SIGNER.issue(make())) - 1), character=st.sampled_from(base45.ALPHABET.decode()))
def test_no_changed_character_gives_another_pass(position: int, character: str) -> None:
    text = hcert.pack(MESSAGE)
    position = min(position, len(text) - 1)
    changed = text[:position] + character + text[position + 1 :]
    try:
        read = read_pass(changed, keys=RING)
    except HutongError:
        return
    assert read.signature_valid is not True or read.claims == make()


@pytest.mark.parametrize(
    ("claim", "reads"),
    [(None, True), (1_799_999_999, True), (1_800_000_000, True), (1_800_000_001, False), ("x", False)],
)
def test_a_pass_holds_from_its_issue(claim: object, reads: bool) -> None:
    """Claim 5 (not before) of other issuers must not be passed over (RFC 8392, 3.1.5)."""
    entries = ["low", "r", [1, 0, 0], b"12345678", 1, b"1" * 12]
    body = {1: "tw", 4: 1_900_000_000, 5: claim, 6: 1_800_000_000, -260: {level_pass.CLAIM: entries}}
    text = hcert.pack(cose.Signer(KEY, KEY_ID).sign(cbor.dumps(body)))
    if reads:
        assert read_pass(text, keys=RING).signature_valid is True
    else:
        with pytest.raises(BadInput, match="from another time"):
            read_pass(text, keys=RING)


@pytest.mark.parametrize("value", [[1], {"a": 1}, b"x", NOW])
def test_a_fact_that_is_no_simple_value_is_refused(value: object) -> None:
    fact = dataclasses.replace(FACTS[0], value=value)  # type: ignore[arg-type]
    text = level_pass.disclose(SIGNER.issue(make(digests=level_pass.digests_of([fact]))), [fact])
    with pytest.raises(BadInput, match="value of a disclosed fact"):
        read_pass(text, keys=RING)
