"""Signed notes and checkpoints: round trips, strict reading, limits."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.errors import BadInput, HutongError, LimitExceeded, Tampered
from hutong.trust.log.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint, sign_checkpoint
from hutong.trust.log.merkle import EMPTY_ROOT, MAX_SIZE
from hutong.trust.log.note import (
    COSIGNATURE_V1,
    ED25519,
    NoteSignature,
    SigningKey,
    VerifierKey,
    decode_base64,
    open_note,
    parse_note,
    parse_signing_key,
    parse_verifier_key,
    sign_note,
)

ALICE = SigningKey("alice.example/log", Ed25519PrivateKey.generate())
BOB = SigningKey("bob.example/log", Ed25519PrivateKey.generate())
TEXTS = st.text(st.characters(exclude_categories=["Cs"], min_codepoint=32) | st.just("\n"), max_size=80).map(
    lambda text: text + "\n"
)


@given(TEXTS)
@settings(max_examples=100)
def test_any_text_that_a_note_can_carry_reads_back(text: str) -> None:
    message = sign_note(text, ALICE, BOB)
    assert parse_note(message).encode() == message
    opened = open_note(message, [BOB.verifier])
    assert opened.text == text
    assert [line.name for line in opened.verified] == [BOB.name]
    assert [line.name for line in opened.unverified] == [ALICE.name]


@given(st.data(), TEXTS)
@settings(max_examples=100)
def test_one_flipped_bit_anywhere_refuses_a_note(data: st.DataObject, text: str) -> None:
    message = bytearray(sign_note(text, ALICE))
    bit = data.draw(st.integers(0, len(message) * 8 - 1))
    message[bit // 8] ^= 1 << (bit % 8)
    with pytest.raises(HutongError):
        open_note(bytes(message), [ALICE.verifier])


@given(st.binary(max_size=200))
@settings(max_examples=100)
def test_any_bytes_are_refused_within_the_tree_of_errors(noise: bytes) -> None:
    with pytest.raises(HutongError):
        open_note(noise, [ALICE.verifier])


LINE = ALICE.sign("text\n").line()


@pytest.mark.parametrize(
    "message",
    [
        "",
        "text\n",
        "text\n\n",
        "text\n\n" + LINE.rstrip("\n"),
        "text\n" + LINE,
        "text\r\n\n" + LINE,
        "te\0xt\n\n" + LINE,
        "text\n\n" + LINE + "\n",
        "text\n\n" + LINE + "more\n",
        "text\n\n- " + LINE[2:],
        "text\n\n" + LINE.replace(ALICE.name, "alice+example"),
        "text\n\n" + LINE.replace(ALICE.name, "alice\u2003example"),
        "text\n\n" + LINE.replace(ALICE.name, ""),
        "text\n\n" + LINE.replace("=", ""),
        "text\n\n" + LINE.rstrip("\n") + " \n",
        f"text\n\n\u2014 {ALICE.name} AAAAAA==\n",
        f"text\n\n\u2014 {ALICE.name}\n",
    ],
)
def test_a_malformed_note_is_bad_input(message: str) -> None:
    with pytest.raises(BadInput):
        parse_note(message.encode())


def test_text_that_is_not_utf8_or_does_not_end_is_bad_input() -> None:
    with pytest.raises(BadInput):
        parse_note(b"\xff\n\n" + LINE.encode())
    for text in ("", "text", "tab\there\n"):
        with pytest.raises(BadInput):
            sign_note(text, ALICE)


def test_sizes_are_limited() -> None:
    assert len(parse_note(("text\n\n" + LINE * 100).encode()).signatures) == 100
    with pytest.raises(LimitExceeded):
        parse_note(("text\n\n" + LINE * 101).encode())
    with pytest.raises(LimitExceeded):
        parse_note(b"a" * 1_000_001)
    with pytest.raises(HutongError):
        parse_verifier_key("a" * 2_000)


def test_only_known_keys_count_and_each_once() -> None:
    message = sign_note("text\n", ALICE, ALICE, BOB, BOB)
    opened = open_note(message, [ALICE.verifier])
    assert (len(opened.verified), len(opened.unverified)) == (1, 1)
    with pytest.raises(Tampered):
        open_note(message, [])
    with pytest.raises(Tampered):
        open_note(message, [VerifierKey(ALICE.name, BOB.verifier.public_key)])
    with pytest.raises(BadInput):
        open_note(message, [ALICE.verifier, ALICE.verifier])


def test_a_known_keys_broken_signature_refuses_the_note_even_beside_a_good_one() -> None:
    good = parse_note(sign_note("text\n", ALICE)).signatures[0]
    broken = NoteSignature(BOB.name, BOB.verifier.key_id, bytes(64))
    short = NoteSignature(BOB.name, BOB.verifier.key_id, b"x")
    for line in (broken, short):
        message = ("text\n\n" + good.line() + line.line()).encode()
        assert open_note(message, [ALICE.verifier]).verified == (good,)
        with pytest.raises(Tampered):
            open_note(message, [ALICE.verifier, BOB.verifier])


def test_of_several_lines_by_one_key_the_first_counts() -> None:
    good = ALICE.sign("text\n")
    broken = NoteSignature(good.name, good.key_id, bytes(64))
    opened = open_note(("text\n\n" + good.line() + broken.line()).encode(), [ALICE.verifier])
    assert (opened.verified, opened.unverified) == ((good,), ())
    with pytest.raises(Tampered):
        open_note(("text\n\n" + broken.line() + good.line()).encode(), [ALICE.verifier])


@given(st.binary(min_size=32, max_size=32), st.sampled_from([ED25519, COSIGNATURE_V1]))
@settings(max_examples=50)
def test_keys_read_back_and_never_show_their_secret(seed: bytes, kind: int) -> None:
    key = SigningKey("node.example/log", Ed25519PrivateKey.from_private_bytes(seed), kind)
    secret = key.encode()
    assert parse_signing_key(secret).encode() == secret
    assert parse_verifier_key(str(key.verifier)) == key.verifier
    assert secret.split("+", 4)[4] not in repr(key)
    with pytest.raises(BadInput) as caught:
        parse_signing_key(secret[:-1])
    assert secret[-20:-1] not in str(caught.value)


def test_a_key_does_only_what_its_kind_does() -> None:
    cosigner = SigningKey("witness.example/w1", Ed25519PrivateKey.generate(), COSIGNATURE_V1)
    with pytest.raises(BadInput):
        cosigner.sign("text\n")
    with pytest.raises(BadInput):
        ALICE.cosign("text\n", 1)
    for name in ("", "a b", "a+b", "a\u00a0b"):
        with pytest.raises(BadInput):
            VerifierKey(name, bytes(32))
    for kind in (0, 2, 6, 255):
        with pytest.raises(BadInput):
            VerifierKey("name", bytes(32), kind)


@pytest.mark.parametrize("text", ["AA", "AAA", "AB==", "AAA=\n", "AA==AA==", "A-__", "\u0661AAA", "A A="])
def test_base64_has_one_form(text: str) -> None:
    with pytest.raises(BadInput):
        decode_base64(text)


LINES = st.text(st.characters(exclude_categories=["Cs"], min_codepoint=32), min_size=1, max_size=20)


@given(LINES, st.integers(0, MAX_SIZE), st.binary(min_size=32, max_size=32), st.lists(LINES, max_size=3))
@settings(max_examples=100)
def test_checkpoints_read_back(origin: str, size: int, root: bytes, extensions: list[str]) -> None:
    checkpoint = Checkpoint(origin, size, root, tuple(extensions))
    assert parse_checkpoint(checkpoint.text) == checkpoint
    opened = open_checkpoint(sign_checkpoint(checkpoint, ALICE), [ALICE.verifier], origin)
    assert opened.checkpoint == checkpoint
    with pytest.raises(Tampered):
        open_checkpoint(sign_checkpoint(checkpoint, ALICE), [ALICE.verifier], origin + "/other")


ROOT = Checkpoint("o", 0, EMPTY_ROOT).text.split("\n")[2]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n\n",
        f"o\n1\n{ROOT}",
        "o\n1\n",
        f"\n1\n{ROOT}\n",
        f"o\n01\n{ROOT}\n",
        f"o\n+1\n{ROOT}\n",
        f"o\n-1\n{ROOT}\n",
        f"o\n1.0\n{ROOT}\n",
        f"o\n1_0\n{ROOT}\n",
        f"o\n\u0661\n{ROOT}\n",
        f"o\n{2**63}\n{ROOT}\n",
        f"o\n{'9' * 5000}\n{ROOT}\n",
        "o\n1\nAAAA\n",
        f"o\n1\n{ROOT[:-1]}\n",
        f"o\n1\n{ROOT}\n\n",
        f"o\n1\n{ROOT}\n\nmore\n",
    ],
)
def test_a_malformed_checkpoint_is_bad_input(text: str) -> None:
    with pytest.raises(BadInput):
        parse_checkpoint(text)


def test_a_checkpoint_that_no_note_carries_is_not_built() -> None:
    for origin, size, root, extensions in [
        ("", 0, EMPTY_ROOT, ()),
        ("a\nb", 0, EMPTY_ROOT, ()),
        ("a\tb", 0, EMPTY_ROOT, ()),
        ("o", -1, EMPTY_ROOT, ()),
        ("o", 0, b"short", ()),
        ("o", 0, EMPTY_ROOT, ("",)),
    ]:
        with pytest.raises(BadInput):
            Checkpoint(origin, size, root, extensions)


def test_the_key_id_of_a_key_line_may_stand_in_capitals() -> None:
    for key in (ALICE.verifier, VerifierKey(BOB.name, BOB.verifier.public_key, COSIGNATURE_V1)):
        name, key_id, material = str(key).split("+", 2)
        assert parse_verifier_key(f"{name}+{key_id.upper()}+{material}") == key
        for other in (key_id[1:], f"{key_id}0", f" {key_id[1:]}"):
            with pytest.raises(BadInput):
                parse_verifier_key(f"{name}+{other}+{material}")
