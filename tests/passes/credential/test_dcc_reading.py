"""What reading tells about an EU DCC beside its signature: version, entries, schema and value sets, as warnings."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import cbor2
import pytest

from hutong.errors import BadInput, HutongError, LimitExceeded, NotFound
from hutong.passes.credential import dcc, hcert
from hutong.passes.credential.read import read_pass
from tests.cli.conftest import CommandLine

ENTRY = {"tg": "840539006", "co": "AT"}


def certificate(payload: dict[str, Any]) -> str:
    """A container with this content; its signature is not looked at here."""
    claims = {1: "AT", 4: 1_640_000_000, 6: 1_630_000_000, -260: {1: payload}}
    protected = cbor2.dumps({1: -7, 4: b"12345678"})
    return hcert.pack(cbor2.dumps(cbor2.CBORTag(18, [protected, {}, cbor2.dumps(claims), b"\x00" * 64])))


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ({"ver": "1.3.0", "v": [ENTRY]}, None),
        ({"ver": "1.0.0", "t": [ENTRY], "v": [], "r": None}, None),
        ({"t": [ENTRY]}, "states no version"),
        ({"ver": None, "t": [ENTRY]}, "states no version"),
        ({"ver": "1.4.0", "t": [ENTRY]}, "'1.4.0' is not one that was published"),
        ({"ver": "2.0.0", "t": [ENTRY]}, "'2.0.0'"),
        ({"ver": 1, "t": [ENTRY]}, "'1' is not"),
        ({"ver": "1.3.0 ", "t": [ENTRY]}, "is not one that was published"),
        ({"ver": "１.３.０", "t": [ENTRY]}, "is not one that was published"),
        ({"ver": "1.3.0", "t": [ENTRY, ENTRY]}, "holds 2 entries instead of one"),
        ({"ver": "1.3.2", "t": [ENTRY], "v": [ENTRY]}, "holds 2 entries instead of one"),
        ({"ver": "1.0.0", "t": [ENTRY], "v": [ENTRY]}, "holds 2 entries instead of one"),
        ({"ver": "1.2.1", "t": [ENTRY, ENTRY]}, "holds 2 entries, which versions before 1.3.0 allow"),
        ({"ver": "1.3.0"}, "holds 0 entries instead of one"),
        ({"ver": "1.0.0", "v": "text"}, "holds 0 entries instead of one"),
    ],
)
def test_odd_versions_and_entries_are_told_and_refuse_nothing(payload: dict[str, Any], told: str | None) -> None:
    read = read_pass(certificate(payload))
    assert read.kind == "eu-dcc"
    assert read.payload["ver" if "ver" in payload else "t"] == payload.get("ver", [ENTRY])
    assert len(read.warnings) == (told is not None), read.warnings
    assert told is None or told in read.warnings[0]


@pytest.mark.conformance
def test_what_does_not_fit_the_published_files_is_told(fixtures: Path) -> None:
    folder = fixtures / "dcc-schema"
    sound = json.loads((folder / "test" / "valid" / "V-min-data.json").read_text())
    for odd, told in (
        ({"dob": "1815-08-24"}, "does not fit its schema at dob"),
        ({"v": [{**sound["v"][0], "mp": "EU/9/99/9999"}]}, "The code at v/0/mp is newer than the value sets, or wrong"),
        ({"v": [5]}, "does not fit its schema at v/0"),
    ):
        text = certificate({**sound, **odd})
        assert read_pass(text).warnings == ()
        read = read_pass(text, reference=folder)
        assert any(told in warning for warning in read.warnings), read.warnings
        answer = CommandLine().ok("pass", "read", text, "--dcc", folder)
        assert answer["warnings"] == list(read.warnings)
        assert told in CommandLine()("pass", "read", text, "--dcc", folder).out
    whole = read_pass(certificate(sound), reference=dcc.Reference.load(folder))
    assert not [warning for warning in whole.warnings if "schema" in warning]
    only_schemas = dcc.Reference.load(folder / "schemas")
    assert only_schemas.value_sets == {}
    assert read_pass(certificate({**sound, "ver": "1.3.0"}), reference=only_schemas).warnings == ()


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({}, NotFound),
        ({"1.3.0.json": "{"}, BadInput),
        ({"1.3.0.json": '{"type": 5}'}, BadInput),
        ({"1.3.0.json": "{}", "valueSets.json": "[]"}, BadInput),
        ({"1.3.0.json": "{}", "valueSets.json": "{"}, BadInput),
        ({"1.3.0.json": "{}" + " " * dcc.MAX_FILE_BYTES}, LimitExceeded),
    ],
)
def test_folders_that_hold_no_reference(files: dict[str, str], kind: type[HutongError], tmp_path: Path) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(kind):
        read_pass(certificate({"ver": "1.3.0", "v": [ENTRY]}), reference=tmp_path)


@pytest.mark.conformance
def test_the_published_vectors_are_all_read_and_told_about(fixtures: Path) -> None:
    """Without the published files only what the suite made odd on purpose is told."""
    tally: Counter[str] = Counter()
    for path in sorted((fixtures / "dcc-testdata").rglob("*.json")):
        try:
            read = read_pass(json.loads(path.read_text("utf-8-sig"))["PREFIX"])
        except HutongError:
            continue
        tally["read"] += 1
        tally.update(warning for warning in read.warnings if "version" in warning or "entries" in warning)
    assert tally.pop("read") > 300
    assert tally == {
        "The certificate holds 2 entries, which versions before 1.3.0 allow.": 1,
        "The certificate holds 0 entries instead of one.": 1,
        "The certificate holds 3 entries instead of one.": 1,
    }
