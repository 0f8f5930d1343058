"""Foreign vectors for the log: transparency-dev proofs, a Tessera log, the Argon 2020 CT log, Go's notes."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hutong.errors import HutongError, Tampered
from hutong.trust.log import merkle, tiles
from hutong.trust.log.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from hutong.trust.log.merkle import Frontier, append, leaf_hash
from hutong.trust.log.note import open_note, parse_signing_key, parse_verifier_key, sign_note

pytestmark = pytest.mark.conformance

TESSERA_KEY = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"


def unbase64(text: str) -> bytes:
    return base64.b64decode(text)


def proof_of(case: dict[str, Any]) -> list[bytes]:
    return [unbase64(value) for value in case["proof"] or []]


def inclusion(case: dict[str, Any]) -> None:
    merkle.verify_inclusion(
        case["leafIdx"], case["treeSize"], unbase64(case["leafHash"]), proof_of(case), unbase64(case["root"])
    )


def consistency(case: dict[str, Any]) -> None:
    merkle.verify_consistency(
        case["size1"], case["size2"], unbase64(case["root1"]), unbase64(case["root2"]), proof_of(case)
    )


def subtree_inclusion(case: dict[str, Any]) -> None:
    subtree = (case["start"], case["end"])
    merkle.verify_subtree_inclusion(
        case["leafIdx"], subtree, unbase64(case["leafHash"]), proof_of(case), unbase64(case["root"])
    )


def subtree_consistency(case: dict[str, Any]) -> None:
    subtree = (case["start"], case["end"])
    merkle.verify_subtree_consistency(
        subtree, case["size"], unbase64(case["root1"]), unbase64(case["root2"]), proof_of(case)
    )


@pytest.mark.parametrize(
    ("folder", "verify", "good", "bad"),
    [
        ("inclusion", inclusion, 6, 58),
        ("consistency", consistency, 4, 65),
        ("subtreeinclusion", subtree_inclusion, 9, 118),
        ("subtreeconsistency", subtree_consistency, 10, 66),
    ],
)
def test_transparency_dev_proofs(
    fixtures: Path, folder: str, verify: Callable[[dict[str, Any]], None], good: int, bad: int
) -> None:
    verified = refused = 0
    for path in sorted((fixtures / "merkle" / "transparency-dev" / folder).rglob("*.json")):
        case = json.loads(path.read_text())
        if case["wantErr"]:
            with pytest.raises(Tampered):
                verify(case)
                pytest.fail(f"accepted {path}")
            refused += 1
        else:
            verify(case)
            verified += 1
    assert (verified, refused) == (good, bad)


def test_argon_2020_proofs_verify_and_an_altered_one_does_not(fixtures: Path) -> None:
    folder = fixtures / "merkle" / "argon2020"
    head = json.loads((folder / "sth.json").read_text())
    size, root = head["tree_size"], unbase64(head["sha256_root_hash"])

    grown = json.loads((folder / "consistency.json").read_text())
    hashes = [unbase64(value) for value in grown["consistency"]]
    merkle.verify_consistency(grown["first"], size, unbase64(grown["first_root"]), root, hashes)
    with pytest.raises(Tampered):
        merkle.verify_consistency(grown["first"], size, unbase64(grown["first_root"]), root, hashes[::-1])

    leaf = leaf_hash(unbase64(json.loads((folder / "entries.json").read_text())["entries"][0]["leaf_input"]))
    found = json.loads((folder / "proof.json").read_text())
    path = [unbase64(value) for value in found["audit_path"]]
    assert (found["leaf_index"], size, len(path)) == (10_000, 961_984_013, 30)
    merkle.verify_inclusion(10_000, size, leaf, path, root)
    with pytest.raises(Tampered):
        merkle.verify_inclusion(10_001, size, leaf, path, root)
    # The shape of a foreign proof is the shape of ours.
    assert len(merkle.inclusion_ranges(10_000, size)) == len(path)
    assert len(merkle.consistency_ranges(grown["first"], size)) == len(hashes)


@pytest.fixture
def tessera(fixtures: Path) -> Path:
    return fixtures / "merkle" / "tessera-log"


def tessera_entries(folder: Path) -> tuple[bytes, ...]:
    return tiles.decode_bundle((folder / tiles.Tile(None, 0, 15).path).read_bytes(), 15)


def test_tessera_tiles_are_rebuilt_byte_for_byte_from_the_entries(tessera: Path) -> None:
    entries = tessera_entries(tessera)
    assert (entries[0], entries[-1]) == (b"one", b"fivten")
    nodes = append(Frontier(), [leaf_hash(entry) for entry in entries]).nodes
    stored = {(node.level, node.position): node.hash for node in nodes}
    rebuilt = 0
    for path in sorted((tessera / "tile").rglob("*")):
        if path.is_dir():
            continue
        tile = tiles.parse_tile_path(path.relative_to(tessera).as_posix())
        assert tiles.is_served(tile, 15)
        if tile.level is None:
            content = tiles.encode_bundle(entries[: tile.width])
            assert tiles.decode_bundle(content, tile.width) == entries[: tile.width]
        else:
            content = tiles.tile_content(tile, lambda level, position: stored[level, position])
        assert content == path.read_bytes()
        rebuilt += 1
    assert rebuilt == 30
    assert {tile.path for tile in tiles.tiles_of(15)} == {"tile/entries/000.p/15", "tile/0/000.p/15"}


def test_tessera_checkpoints_verify_and_follow_each_other(tessera: Path) -> None:
    key = parse_verifier_key(TESSERA_KEY)
    read = tiles.reader_of_tiles(15, lambda tile: (tessera / tile.path).read_bytes())
    leaves = [leaf_hash(entry) for entry in tessera_entries(tessera)]
    heads: list[Checkpoint] = []
    for path in sorted(tessera.glob("checkpoint*")):
        message = path.read_bytes()
        head = open_checkpoint(message, [key], "example.com/log/testdata").checkpoint
        assert head.root == merkle.root_of(leaves[: head.size]) == merkle.root_at(head.size, read)
        for at in range(len(message)):
            altered = message[:at] + bytes([message[at] ^ 1]) + message[at + 1 :]
            with pytest.raises(HutongError):
                open_checkpoint(altered, [key], "example.com/log/testdata")
        heads.append(head)
    assert len(heads) == 13
    assert {head.size for head in heads} == {0, 1, 2, 3, 5, 6, 7, 8, 10, 12, 13, 14, 15}
    for old in heads:
        for new in heads:
            if 0 < old.size <= new.size:
                proof = merkle.consistency_proof(old.size, new.size, read)
                merkle.verify_consistency(old.size, new.size, old.root, new.root, proof)
    with pytest.raises(Tampered):
        open_checkpoint((tessera / "checkpoint").read_bytes(), [key], "example.com/log/another")


@pytest.fixture
def go_notes(fixtures: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((fixtures / "merkle" / "note" / "signed-note.json").read_text())
    return found


def test_go_notes_open_as_the_go_tests_demand(go_notes: dict[str, Any]) -> None:
    opened = refused = 0
    for case in go_notes["open"]:
        message = unbase64(case["message_b64"])
        keys = [parse_verifier_key(text) for text in case["verifiers"]]
        if case["ok"]:
            note = open_note(message, keys)
            assert [signature.name for signature in note.verified] == case["verified"], case["name"]
            assert [signature.name for signature in note.unverified] == case["unverified"], case["name"]
            opened += 1
        else:
            untrusted = "malformed" not in case["error"]
            with pytest.raises(Tampered if untrusted else HutongError) as caught:
                open_note(message, keys)
            assert isinstance(caught.value, Tampered) == untrusted, case["name"]
            refused += 1
    assert (opened, refused) == (3, 6)


def test_go_verifier_keys(go_notes: dict[str, Any]) -> None:
    good = [case["vkey"] for case in go_notes["verifier_keys"] if case["ok"]]
    bad = [case["vkey"] for case in go_notes["verifier_keys"] if not case["ok"]]
    assert (len(good), len(bad)) == (1, 2)
    for text in good:
        assert str(parse_verifier_key(text)) == text
        bad += [text[low:high] for low in range(len(text)) for high in range(low, len(text) + 1)][:-1]
        bad += [text[:at] + chr(ord(text[at]) + 1) + text[at + 1 :] for at in range(len(text))]
    bad = [text for text in bad if text not in good]
    assert len(bad) > 2000
    for text in bad:
        with pytest.raises(HutongError):
            parse_verifier_key(text)


def test_go_signing_is_reproduced_and_no_part_of_the_key_is_a_key(go_notes: dict[str, Any]) -> None:
    case = go_notes["sign"]
    secret = case["skey"]
    signer = parse_signing_key(secret)
    assert signer.encode() == secret
    assert sign_note(case["text"], signer).decode() == case["expect"]
    parts = {secret[low:high] for low in range(len(secret)) for high in range(low, len(secret) + 1)} - {secret}
    assert len(parts) > 2000
    for part in parts:
        with pytest.raises(HutongError):
            parse_signing_key(part)


def test_go_tree_text(fixtures: Path) -> None:
    case = json.loads((fixtures / "merkle" / "note" / "tree-text.json").read_text())
    origin = "go.sum database tree"
    head = parse_checkpoint(case["good"], origin)
    assert (head.size, head.root) == (123_456_789_012, leaf_hash(case["leaf_text"].encode()))
    assert head.text == case["good"]
    assert len(case["bad"]) == 3
    for text in case["bad"]:
        with pytest.raises(HutongError):
            parse_checkpoint(text, origin)
