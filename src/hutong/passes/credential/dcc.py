"""EU Digital COVID Certificate payloads, schema versions 1.0.0 to 1.3.x.

Three stages, each reported for itself: the JSON schema of the declared version; the rule that a certificate holds
exactly one entry since 1.3.0 (before it several, never of mixed groups); value sets, where an unknown code is only
newer than the list and no sign of forgery. The schemas and value sets are foreign files: the caller names their folder.
What can be said without them, :func:`check_form` says. Findings are told to a reader and refuse nothing: certificates
in use, and the published test data, are full of quirks.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from hutong.errors import BadInput, NotFound

from ..files import read_file

if TYPE_CHECKING:
    import jsonschema_rs

MAX_FILE_BYTES = 2**22
VERSIONS = frozenset(
    {(1, 0, 0), (1, 0, 1), (1, 1, 0), (1, 2, 0), (1, 2, 1), (1, 3, 0), (1, 3, 1), (1, 3, 2), (1, 3, 3)}
)
"""All versions of the schema that were published, eu-dcc-schema."""
ONE_ENTRY_SINCE = (1, 3, 0)
GROUPS = ("v", "t", "r")
NAMES = {"v": "vaccination", "t": "test", "r": "recovery"}
MAX_PROBLEMS = 20
_VALUE_SETS = {
    "tg": "disease-agent-targeted",
    "vp": "sct-vaccines-covid-19",
    "mp": "vaccines-covid-19-names",
    "ma": "vaccines-covid-19-auth-holders",
    "tt": "covid-19-lab-test-type",
    "tr": "covid-19-lab-result",
    "co": "country-2-codes",
}
_TEST_DEVICES = "covid-19-lab-test-manufacturer-and-name"
_VERSION = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}")


def _is_moment(text: str) -> bool:
    """A date or a time in any ISO 8601 form: issuers write +02 and +0200, and times where dates are meant."""
    try:
        dt.datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


_FORMATS = {"date": _is_moment, "date-time": _is_moment}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a stage found: ``stage`` is "version", "schema", "one-entry" or "value-set"."""

    stage: str
    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Schemas:
    """Validators of the schema versions, by version number."""

    validators: Mapping[tuple[int, int, int], jsonschema_rs.Draft202012Validator]

    @classmethod
    def load(cls, folder: Path) -> Schemas:
        """Read ``<version>.json`` files, each one combined schema.

        Raises:
            NotFound: the folder holds none.
            BadInput: a file is no JSON schema.
        """
        import jsonschema_rs

        found = {}
        for path in sorted(folder.glob("*.json")):
            if _VERSION.fullmatch(path.stem):
                try:
                    schema = _as_read(orjson.loads(read_file(path, limit_bytes=MAX_FILE_BYTES)))
                    found[_version(path.stem)] = jsonschema_rs.Draft202012Validator(
                        schema, validate_formats=True, formats=_FORMATS
                    )
                except (orjson.JSONDecodeError, jsonschema_rs.ValidationError, ValueError):
                    raise BadInput(f"{path.name} is not a JSON schema.", "Give the combined schemas.") from None
        if not found:
            raise NotFound(f"No schema <version>.json is in {folder.name}.", "Give the folder of the schemas.")
        return cls(found)

    def check(self, payload: Any) -> tuple[Finding, ...]:
        """Findings of the schema and of the one-entry rule; empty when the payload is well formed.

        The schema is that of the declared version, or the newest older one of the same major number.
        """
        payload = normalise(payload)
        if not isinstance(payload, Mapping):
            return (Finding("schema", "", "The payload is not an object."),)
        version = _version(payload.get("ver"))
        known = [number for number in self.validators if number[0] == version[0] and number <= version]
        if not known:
            return (Finding("schema", "ver", "The version is not stated or not known."),)
        findings = []
        for error in self.validators[max(known)].iter_errors(payload):
            findings.append(Finding("schema", "/".join(str(part) for part in error.instance_path), error.message))
            if len(findings) == MAX_PROBLEMS:
                break
        if version >= ONE_ENTRY_SINCE or len(kinds_of(payload)) > 1:
            findings += check_one_entry(payload)
        return tuple(findings)


@dataclass(frozen=True, slots=True)
class Reference:
    """The published files by which payloads are checked: schemas, and value sets where they are there.

    Attributes:
        value_sets: by value-set id, as :func:`check_value_sets` takes them.
    """

    schemas: Schemas
    value_sets: Mapping[str, Any]

    @classmethod
    def load(cls, folder: Path) -> Reference:
        """Read ``<version>.json`` in the folder or its ``schemas``, and its ``valueSets.json`` if there is one.

        Raises:
            NotFound: no schema is there.
            BadInput, LimitExceeded: a file that is no schema, no value sets, or larger than 4 MiB.
        """
        inner = folder / "schemas"
        path = folder / "valueSets.json"
        try:
            value_sets = orjson.loads(read_file(path, limit_bytes=MAX_FILE_BYTES)) if path.is_file() else {}
        except orjson.JSONDecodeError:
            value_sets = None
        if not isinstance(value_sets, dict):
            raise BadInput("valueSets.json holds no value sets.", "Give the published file.")
        return cls(Schemas.load(inner if inner.is_dir() else folder), value_sets)

    def check(self, payload: Any) -> tuple[Finding, ...]:
        """Findings of the schema and of the value sets."""
        payload = normalise(payload)
        found = self.schemas.check(payload)
        return (*found, *check_value_sets(payload, self.value_sets)) if isinstance(payload, Mapping) else found


def _as_read(schema: Any) -> Any:
    """The schema without ``$id``, so that nothing is resolved outside of it."""
    return {key: value for key, value in schema.items() if key != "$id"} if isinstance(schema, dict) else schema


def _version(text: object) -> tuple[int, int, int]:
    found = _VERSION.fullmatch(text) if isinstance(text, str) else None
    return (int(found[1]), int(found[2]), int(found[3])) if found else (0, 0, 0)


def normalise(value: Any) -> Any:
    """The payload as it was meant: whole floats as integers, times as text (what CBOR tags made of them undone)."""
    if isinstance(value, Mapping):
        return {str(key): normalise(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [normalise(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value.isoformat() if isinstance(value, dt.date) else value


def kinds_of(payload: Mapping[str, Any]) -> frozenset[str]:
    """Which of "v", "t", "r" the payload holds entries of."""
    return frozenset(group for group in GROUPS if payload.get(group))


def check_one_entry(payload: Mapping[str, Any]) -> tuple[Finding, ...]:
    """The rule of 1.3.0: exactly one vaccination, test or recovery, and one entry of it."""
    number = len(_entries(payload))
    if number == 1:
        return ()
    return (Finding("one-entry", "", f"The certificate holds {number} entries instead of one."),)


def _entries(payload: Mapping[str, Any]) -> list[Any]:
    return [entry for group in GROUPS if isinstance(payload.get(group), list) for entry in payload[group]]


def check_form(payload: Mapping[str, Any]) -> tuple[Finding, ...]:
    """What is odd about version and entries, as far as it can be said without the schemas."""
    stated = payload.get("ver")
    version = _version(stated)
    found = []
    if stated is None:
        found.append(Finding("version", "ver", "The certificate states no version of the schema."))
    elif version not in VERSIONS:
        found.append(
            Finding("version", "ver", f"The schema version {str(stated)[:20]!r} is not one that was published.")
        )
    number = len(_entries(payload))
    if version in VERSIONS and version < ONE_ENTRY_SINCE and len(kinds_of(payload)) == 1 and number > 1:
        what = f"The certificate holds {number} entries, which versions before 1.3.0 allow."
        return (*found, Finding("one-entry", "", what))
    return (*found, *check_one_entry(payload))


def check_value_sets(payload: Mapping[str, Any], value_sets: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Codes that the value sets do not hold: newer, or wrong.

    Args:
        payload: a payload that fits its schema.
        value_sets: by value-set id, either a list of codes or an object that has them as ``valueSetValues`` or keys.
    """
    findings = []
    for group in GROUPS:
        entries = payload.get(group)
        for number, entry in enumerate(entries if isinstance(entries, list) else []):
            for element, usual in _VALUE_SETS.items():
                name = _TEST_DEVICES if (group, element) == ("t", "ma") else usual
                codes, code = value_sets.get(name), entry.get(element) if isinstance(entry, Mapping) else None
                if codes is not None and code is not None and code not in _codes(codes):
                    findings.append(Finding("value-set", f"{group}/{number}/{element}", f"Not in {name}."))
    return tuple(findings)


def _codes(value_set: Any) -> Any:
    return value_set.get("valueSetValues", value_set) if isinstance(value_set, Mapping) else value_set


def same(one: Any, other: Any) -> bool:
    """Whether two payloads say the same: times compared as instants, whole floats as integers."""
    one, other = normalise(one), normalise(other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, str) and isinstance(other, str) and one != other:
        first, second = _instant(one), _instant(other)
        return first is not None and first == second
    return bool(one == other)


def _instant(text: str) -> dt.datetime | None:
    if not _INSTANT.match(text):
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
