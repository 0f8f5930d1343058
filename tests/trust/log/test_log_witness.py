"""A witness: every row of the specification's table, and what a log does with the answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.errors import BadInput, HutongError, LimitExceeded, Tampered
from hutong.governance.actions import ask_witness
from hutong.node import Node
from hutong.trust.log import merkle
from hutong.trust.log.checkpoint import (
    Checkpoint,
    add_cosignatures,
    open_checkpoint,
    parse_signature_lines,
    sign_checkpoint,
    verify_cosignature,
)
from hutong.trust.log.merkle import EMPTY_ROOT, Frontier, append, leaf_hash
from hutong.trust.log.note import (
    COSIGNATURE_V1,
    NoteSignature,
    SigningKey,
    VerifierKey,
    cosigned_message,
    open_note,
    parse_note,
)
from hutong.trust.log.witness import (
    SIZE_TEXT,
    Answer,
    KnownLog,
    answer_request,
    conflict,
    encode_request,
    parse_request,
)
from hutong.trust.peers import Peers, Reply
from hutong.trust.trust_list import Party

ORIGIN = "node.example/log"
NOW = 1_700_000_000
LOG_KEY = SigningKey(ORIGIN, Ed25519PrivateKey.generate())
STRANGER = SigningKey(ORIGIN, Ed25519PrivateKey.generate())
COSIGNER = SigningKey("witness.example/w1", Ed25519PrivateKey.generate(), COSIGNATURE_V1)
LEAVES = [leaf_hash(b"entry %d" % i) for i in range(70)]
STORED = {(node.level, node.position): node.hash for node in append(Frontier(), LEAVES).nodes}
OTHER_ROOT = leaf_hash(b"another history")


def read(level: int, position: int) -> bytes:
    return STORED[level, position]


def head(size: int) -> Checkpoint:
    return Checkpoint(ORIGIN, size, merkle.root_of(LEAVES[:size]))


def proof(old: int, new: int) -> tuple[bytes, ...]:
    return merkle.consistency_proof(old, new, read) if 0 < old <= new else ()


def body(old: int, new: Checkpoint, *, hashes: tuple[bytes, ...] | None = None, key: SigningKey = LOG_KEY) -> bytes:
    return encode_request(old, proof(old, new.size) if hashes is None else hashes, sign_checkpoint(new, key))


@dataclass
class Store:
    """A witness's memory of one log, which swaps only when nobody came between."""

    known: KnownLog

    def load(self, origin: str) -> KnownLog | None:
        return self.known if origin == ORIGIN else None

    def save(self, old: KnownLog, answer: Answer) -> Answer:
        if answer.cosigned is None:
            return answer
        if self.known != old:
            return conflict(self.known.size)
        self.known = replace(old, size=answer.cosigned.size, root=answer.cosigned.root)
        return answer


def knowing(size: int) -> Store:
    return Store(KnownLog((LOG_KEY.verifier,), size, merkle.root_of(LEAVES[:size])))


def ask(store: Store, request: bytes) -> Answer:
    before = store.known
    return store.save(before, answer_request(request, store.load, COSIGNER, NOW))


def forged_line(new: Checkpoint) -> bytes:
    note = parse_note(sign_checkpoint(new, LOG_KEY))
    signature = note.signatures[0]
    return replace(note, signatures=(replace(signature, signature=bytes(64)),)).encode()


def race() -> Answer:
    store = knowing(5)
    before = store.known
    first = answer_request(body(5, head(12)), store.load, COSIGNER, NOW)
    second = answer_request(body(5, head(9)), store.load, COSIGNER, NOW)
    assert (first.status, second.status) == (200, 200)
    assert store.save(before, first).status == 200
    lost = store.save(before, second)
    assert (store.known.size, lost.body) == (12, b"12\n")
    return lost


ELSEWHERE = Checkpoint("elsewhere.example/log", 5, OTHER_ROOT)
RULES: dict[str, Callable[[], Answer]] = {
    "unknown origin": lambda: ask(knowing(0), body(0, ELSEWHERE)),
    "no signature by a trusted key": lambda: ask(knowing(0), body(0, head(5), key=STRANGER)),
    "signature line names a trusted key": lambda: ask(knowing(0), encode_request(0, (), forged_line(head(5)))),
    "old size greater than checkpoint size": lambda: ask(knowing(5), body(6, head(5))),
    "more than 63 proof lines": lambda: ask(knowing(5), body(5, head(9), hashes=(EMPTY_ROOT,) * 64)),
    "old size differs from the last cosigned size": lambda: ask(knowing(5), body(4, head(9))),
    "size 0 with a root other than": lambda: ask(knowing(0), body(0, Checkpoint(ORIGIN, 0, OTHER_ROOT))),
    "old size 0 with a non-empty proof": lambda: ask(knowing(0), body(0, head(5), hashes=(EMPTY_ROOT,))),
    "consistency proof does not verify": lambda: ask(knowing(5), body(5, head(9), hashes=proof(6, 9))),
    "old size equals size but roots differ": lambda: ask(knowing(5), body(5, Checkpoint(ORIGIN, 5, OTHER_ROOT))),
    "everything verifies": lambda: ask(knowing(5), body(5, head(9))),
    "two racing requests from the same old size": race,
}


@pytest.mark.conformance
def test_each_condition_of_the_table_gets_its_status(fixtures: Path) -> None:
    table = json.loads((fixtures / "merkle" / "witness" / "add-checkpoint-rules.json").read_text())["cases"]
    met = set()
    for row in table:
        rules = [name for name in RULES if row["condition"].startswith(name)]
        assert len(rules) == 1, row["condition"]
        answer = RULES[rules[0]]()
        assert answer.status == row["status"], row["condition"]
        if row["status"] == 409:
            assert (answer.content_type, answer.body.endswith(b"\n")) == (SIZE_TEXT, True)
        assert (answer.cosigned is not None) == (row["status"] == 200)
        met.add(rules[0])
    assert len(table) == len(met) == len(RULES) == 12


def test_a_log_grows_under_witness_and_its_cosignatures_verify() -> None:
    store = knowing(0)
    old = 0
    for size in (0, 1, 1, 2, 5, 8, 64, 70):
        message = sign_checkpoint(head(size), LOG_KEY)
        answer = ask(store, encode_request(old, proof(old, size), message))
        assert (answer.status, store.known.size) == (200, size)
        (signature,) = parse_signature_lines(answer.body)
        assert verify_cosignature(head(size), signature, COSIGNER.verifier) == NOW
        witnessed = add_cosignatures(message, answer.body, [COSIGNER.verifier])
        opened = open_checkpoint(witnessed, [LOG_KEY.verifier, COSIGNER.verifier], ORIGIN)
        assert [line.name for line in opened.verified] == [ORIGIN, COSIGNER.name]
        assert add_cosignatures(witnessed, answer.body, [COSIGNER.verifier]) == witnessed
        old = size
    assert old == 70


def test_the_answer_to_a_log_that_lost_its_place_says_from_where_to_go_on() -> None:
    store = knowing(7)
    lost = ask(store, body(0, head(9)))
    assert (lost.status, lost.body, lost.content_type) == (409, b"7\n", "text/x.tlog.size")
    assert ask(store, body(int(lost.body), head(9))).status == 200


@given(st.data(), st.integers(1, 70), st.integers(1, 70))
@settings(max_examples=60, deadline=None)
def test_no_altered_proof_moves_the_witness(data: st.DataObject, one: int, two: int) -> None:
    old, new = min(one, two), max(one, two)
    hashes = list(proof(old, new)) + data.draw(st.sampled_from([[], [EMPTY_ROOT]]))
    if hashes:
        hashes[data.draw(st.integers(0, len(hashes) - 1))] = OTHER_ROOT
    store = knowing(old)
    answer = ask(store, body(old, head(new), hashes=tuple(hashes)))
    assert (answer.status, store.known.size) == ((200, new) if not hashes else (422, old))


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_bytes_get_an_answer_and_never_a_cosignature(noise: bytes) -> None:
    store = knowing(5)
    assert ask(store, noise).status == 400
    request = body(5, head(9))
    assert ask(store, request[: len(noise)]).status == 400
    assert store.known.size == 5


@pytest.mark.parametrize(
    "start",
    [
        b"old 05\n\n",
        b"old -1\n\n",
        b"old \n\n",
        b"old 1 \n\n",
        b"size 5\n\n",
        b"old 5\nAAAA\n\n",
        b"old 5\n!\n\n",
        b"\n\n",
        b"old \xd9\xa5\n\n",
        b"old 9223372036854775808\n\n",
        b"old 5\n",
    ],
)
def test_a_malformed_request_is_a_bad_request(start: bytes) -> None:
    request = start + sign_checkpoint(head(9), LOG_KEY)
    with pytest.raises(BadInput):
        parse_request(request)
    assert ask(knowing(5), request).status == 400


def test_a_huge_request_is_refused_before_it_is_read() -> None:
    with pytest.raises(LimitExceeded):
        parse_request(b"old 5\n" + b"A" * 2_000_000)


def test_a_request_reads_back_as_it_was_sent() -> None:
    request = body(5, head(9))
    parsed = parse_request(request)
    assert (parsed.old_size, parsed.proof, parsed.checkpoint) == (5, proof(5, 9), head(9))
    assert parsed.encode() == request


def test_a_cosignature_is_bound_to_its_time_its_checkpoint_and_its_key() -> None:
    signature = COSIGNER.cosign(head(9).text, NOW)
    later = NoteSignature(signature.name, signature.key_id, (NOW + 1).to_bytes(8) + signature.signature[8:])
    other = SigningKey(COSIGNER.name, Ed25519PrivateKey.generate(), COSIGNATURE_V1).verifier
    plain = VerifierKey(COSIGNER.name, COSIGNER.verifier.public_key)
    assert verify_cosignature(head(9), signature, COSIGNER.verifier) == NOW
    for checkpoint, line, key in [
        (head(9), later, COSIGNER.verifier),
        (head(8), signature, COSIGNER.verifier),
        (head(9), signature, other),
        (head(9), signature, plain),
        (head(9), replace(signature, signature=signature.signature[:-1]), COSIGNER.verifier),
        (head(9), replace(signature, signature=b"\xff" * 72), COSIGNER.verifier),
    ]:
        with pytest.raises(Tampered):
            verify_cosignature(checkpoint, line, key)
    with pytest.raises(Tampered):
        verify_cosignature(head(9), LOG_KEY.sign(head(9).text), LOG_KEY.verifier)
    for at in (0, -1, 2**63):
        with pytest.raises(BadInput):
            COSIGNER.cosign(head(9).text, at)


def test_a_well_signed_time_past_the_format_is_refused() -> None:
    text, late = head(9).text, 2**63
    raw = late.to_bytes(8) + COSIGNER.private_key.sign(cosigned_message(text, late))
    with pytest.raises(Tampered):
        verify_cosignature(head(9), NoteSignature(COSIGNER.name, COSIGNER.verifier.key_id, raw), COSIGNER.verifier)


def test_an_answer_of_a_stranger_or_for_another_checkpoint_adds_nothing() -> None:
    message = sign_checkpoint(head(9), LOG_KEY)
    good = COSIGNER.cosign(head(9).text, NOW).line().encode()
    stale = COSIGNER.cosign(head(8).text, NOW).line().encode()
    stranger = SigningKey("witness.example/w2", Ed25519PrivateKey.generate(), COSIGNATURE_V1)
    unknown = stranger.cosign(head(9).text, NOW).line().encode()
    assert add_cosignatures(message, unknown + good, [COSIGNER.verifier]) == message + good
    for answer in (stale, unknown, good + stale, b"", b"\n", good[:-1], b"\xff\n", b"no signature\n"):
        with pytest.raises(HutongError):
            add_cosignatures(message, answer, [COSIGNER.verifier])


def keep_cosignature(node: Node, connection: sa.Connection, message: bytes, answer: bytes) -> int:
    return node.log.add_cosignature(
        connection, message=message, answer=answer, witness=COSIGNER.verifier, at=node.clock()
    )


def test_a_node_keeps_of_an_answer_only_the_witness_line(node: Node) -> None:
    """A stranger's line, or a false one in the node's own name, would otherwise spoil its checkpoint for everyone."""
    own = node.log.key
    message = node.log.checkpoint()
    text = open_note(message, [own]).text
    line = COSIGNER.cosign(text, NOW).line()
    false = NoteSignature(own.name, own.key_id, bytes(64)).line()
    strangers = "".join(f"\u2014 stranger.example/{index} {'A' * 96}\n" for index in range(90))
    answer = f"{false}{strangers}{line}".encode()
    with node.records.writing() as connection:
        keep_cosignature(node, connection, message, answer)
    opened = open_note(node.log.checkpoint(), [own, COSIGNER.verifier])
    assert [signature.name for signature in opened.verified] == [own.name, COSIGNER.name]
    assert not opened.unverified
    with node.records.writing() as connection, pytest.raises(Tampered):
        keep_cosignature(node, connection, message, strangers.encode())


def test_a_cosignature_of_a_checkpoint_that_is_none_of_this_log_is_not_kept(node: Node) -> None:
    message = sign_checkpoint(head(9), LOG_KEY)
    good = COSIGNER.cosign(head(9).text, NOW).line().encode()
    with node.records.writing() as connection, pytest.raises(HutongError):
        keep_cosignature(node, connection, message, good)
    assert node.log.cosigned([COSIGNER.verifier]) == {}


@pytest.mark.parametrize("body", [b"", b"many", b"-1\n", b"1e3\n", b"9" * 5000, b"\xff", b"999999\n"])
def test_a_witness_that_names_no_size_of_the_log_is_refused(
    node: Node, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Peers, "post", lambda *_, **__: Reply(409, SIZE_TEXT, body))
    other = Party(
        "hk", {"en": "Other"}, "http://127.0.0.1/hk", "HK", "region", {}, str(LOG_KEY.verifier), (), node.clock()
    )
    with pytest.raises(BadInput):
        ask_witness(node, by=node.operator, party=other)
