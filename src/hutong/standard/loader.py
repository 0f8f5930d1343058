"""Reads the data standard from its declarative files and refuses one that contradicts itself.

The files are LinkML schemas (https://w3id.org/linkml): ``standard.yaml`` names the parts in reading order, each file in
``tables/`` declares one class, each file in ``codes/`` one enumeration, ``lineage.yaml`` the elements of every fact.
LinkML's own slots are used where it has one; annotations carry the rest (the Chinese texts, sensitivity, FHIR R4 path,
GB/T 38962-2020 group). The GB/T groups are a crosswalk to what is public of that standard, not a claim of conformance.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Any, TypeVar

import yaml

from hutong.errors import BadInput
from hutong.standard.element import (
    GBT_GROUPS,
    LANGUAGES,
    LINEAGE,
    TYPES,
    Code,
    CodeList,
    Element,
    Sensitivity,
    Standard,
    Table,
)

FHIR_PATH = re.compile(r"[A-Z][A-Za-z]+(\.[a-z][A-Za-z0-9]*)*")
_Named = TypeVar("_Named", CodeList, Table)
_ELEMENT_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml reads the files ten times faster


@lru_cache(maxsize=1)
def load() -> Standard:
    """The standard of this version of Hutong, read once in a process.

    Raises:
        BadInput: a file of the standard contradicts itself or another; the message names file and element.
    """
    return read(files("hutong.standard"))


def read(folder: Traversable) -> Standard:
    """Read the standard that lies in ``folder`` (``standard.yaml`` names its parts).

    Raises:
        BadInput: a file is missing, is no YAML, or contradicts itself or another.
    """
    root = _document(folder, "standard")
    parts = [part for part in root.get("imports", []) if not part.startswith("linkml:")]
    code_lists = _named(
        (_code_list(part, key, body) for part in parts if part.startswith("codes/")
         for key, body in _only(folder, part, "enums")),
        "code list",
    )  # fmt: skip
    lineage_body = next(iter(_only(folder, "lineage", "classes")))[1]
    lineage = _elements("lineage", LINEAGE, lineage_body, code_lists)
    tables = _named(
        (_table(part, key, body, code_lists, lineage) for part in parts if part.startswith("tables/")
         for key, body in _only(folder, part, "classes")),
        "table",
    )  # fmt: skip
    unused = set(code_lists) - {e.code_list.name for t in tables.values() for e in t.elements if e.code_list}
    if unused:
        raise _contradiction("standard", f"no element uses the code list {sorted(unused)[0]}")
    return Standard(str(root["version"]), tables, code_lists, lineage)


def _document(folder: Traversable, part: str) -> dict[str, Any]:
    try:
        text = folder.joinpath(*f"{part}.yaml".split("/")).read_text(encoding="utf-8")
        document = yaml.load(text, Loader=_YAML_LOADER)
    except FileNotFoundError:
        raise _contradiction(part, "the file is missing") from None
    except yaml.YAMLError as error:
        raise _contradiction(part, f"it is no YAML ({str(error).splitlines()[0]})") from None
    if not isinstance(document, dict):
        raise _contradiction(part, "it holds no mapping")
    return document


def _only(folder: Traversable, part: str, kind: str) -> list[tuple[str, dict[str, Any]]]:
    """The one class or enumeration of a part, as a list of one (key, body)."""
    found = list(_document(folder, part).get(kind, {}).items())
    if len(found) != 1:
        raise _contradiction(part, f"it declares {len(found)} {kind}, not one")
    return found


def _named(things: Iterable[_Named], kind: str) -> Mapping[str, _Named]:
    named: dict[str, _Named] = {}
    for thing in things:
        if thing.name in named:
            raise _contradiction("standard", f"the {kind} {thing.name} is declared twice")
        named[thing.name] = thing
    if not named:
        raise _contradiction("standard", f"it declares no {kind}")
    return MappingProxyType(named)


def _code_list(part: str, key: str, body: dict[str, Any]) -> CodeList:
    name = _snake(key)
    if part != f"codes/{name}":
        raise _contradiction(part, f"it declares {key}, which belongs in codes/{name}")
    codes = []
    for value, given in body.get("permissible_values", {}).items():
        if not isinstance(value, str):
            raise _contradiction(part, f"the value {value!r} is no text: put it in quotes")
        meaning, mappings = given.get("meaning", ""), tuple(given.get("exact_mappings", ()))
        codes.append(Code(value, _text(part, value, given, "label"), meaning, mappings))
    if not codes:
        raise _contradiction(part, f"{key} has no values")
    return CodeList(name, _text(part, key, body, "label"), tuple(codes))


def _table(
    part: str,
    key: str,
    body: dict[str, Any],
    code_lists: Mapping[str, CodeList],
    lineage: tuple[Element, ...],
) -> Table:
    name = _snake(key)
    if part != f"tables/{name}":
        raise _contradiction(part, f"it declares {key}, which belongs in tables/{name}")
    elements = _elements(part, name, body, code_lists)
    names = [e.name for e in (*elements, *lineage)]
    repeated = {n for n in names if names.count(n) > 1}
    if repeated:
        raise _contradiction(part, f"the element {sorted(repeated)[0]} is one that every fact has already")
    row_key = tuple(body.get("unique_keys", {}).get("key", {}).get("unique_key_slots", ()))
    if not row_key or not set(row_key) <= set(names):
        raise _contradiction(part, f"its key {row_key} is not made of its elements")
    label, description = _text(part, key, body, "label"), _text(part, key, body, "description")
    return Table(name, label, description, _fhir(part, key, body), elements, row_key)


def _elements(
    part: str, table: str, body: dict[str, Any], code_lists: Mapping[str, CodeList]
) -> tuple[Element, ...]:
    elements = tuple(
        _element(part, table, name, given, code_lists) for name, given in body["attributes"].items()
    )
    if not elements:
        raise _contradiction(part, "it has no elements")
    return elements


def _element(
    part: str, table: str, name: str, given: dict[str, Any], code_lists: Mapping[str, CodeList]
) -> Element:
    if not _ELEMENT_NAME.fullmatch(name):
        raise _contradiction(part, f"{name!r} is no element name: write lower_case_words")
    kind = given.get("range", "string")
    code_list = code_lists.get(_snake(kind)) if kind[:1].isupper() else None
    if code_list is None and kind not in TYPES:
        raise _contradiction(part, f"{name} has the unknown range {kind!r}")
    annotations = given.get("annotations", {})
    if annotations.get("sensitivity") not in set(Sensitivity):
        raise _contradiction(part, f"{name} has no sensitivity out of {', '.join(Sensitivity)}")
    group = annotations.get("gbt_group", "")
    if group and group not in GBT_GROUPS:
        raise _contradiction(part, f"{name} has the unknown GB/T group {group!r}")
    minimum, maximum, pattern = (given.get(f) for f in ("minimum_value", "maximum_value", "pattern"))
    _check_bounds(part, name, kind, minimum, maximum, pattern)
    return Element(
        name=name,
        table=table,
        type="code" if code_list else kind,
        unit=given.get("unit", {}).get("ucum_code"),
        code_list=code_list,
        necessary=given.get("required", False),
        sensitivity=Sensitivity(annotations["sensitivity"]),
        label=_text(part, name, given, "label"),
        description=_text(part, name, given, "description"),
        fhir=_fhir(part, name, given),
        gbt_group=group,
        minimum=minimum,
        maximum=maximum,
        pattern=pattern,
    )


def _check_bounds(part: str, name: str, kind: str, minimum: Any, maximum: Any, pattern: Any) -> None:
    if (minimum is not None or maximum is not None) and kind not in ("integer", "decimal"):
        raise _contradiction(part, f"{name} has bounds but is a {kind}")
    if minimum is not None and maximum is not None and minimum > maximum:
        raise _contradiction(part, f"{name} has a minimum above its maximum")
    if pattern is not None:
        if kind != "string":
            raise _contradiction(part, f"{name} has a pattern but is a {kind}")
        try:
            re.compile(pattern)
        except re.error:
            raise _contradiction(part, f"{name} has a pattern that is no regular expression") from None


def _fhir(part: str, name: str, given: dict[str, Any]) -> str:
    path = given.get("annotations", {}).get("fhir", "")
    if path and not FHIR_PATH.fullmatch(path):
        raise _contradiction(part, f"{name} has the malformed FHIR path {path!r}")
    return str(path)


def _text(part: str, name: str, given: dict[str, Any], kind: str) -> Mapping[str, str]:
    """Label (LinkML ``title``) or description in English, and its Chinese annotation."""
    english = given.get("title" if kind == "label" else kind)
    texts = {"en": english, "zh": given.get("annotations", {}).get(f"{kind}_zh")}
    for language in LANGUAGES:
        if not isinstance(texts[language], str) or not texts[language].strip():
            raise _contradiction(part, f"{name} has no {kind} in {language!r}")
    return MappingProxyType(texts)


def _snake(key: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower()


def _contradiction(part: str, what: str) -> BadInput:
    return BadInput(f"The standard is inconsistent: {part}.yaml: {what}.", "Correct that file.")
