"""Reads the data standard from its declarative files and refuses one that contradicts itself.

The files are LinkML schemas (https://w3id.org/linkml): ``standard.yaml`` names the parts in reading order, each
file in ``tables/`` declares one class, each file in ``codes/`` one enumeration, ``lineage.yaml`` the elements of
every fact, ``types.yaml`` the types that LinkML has not. LinkML's own slots are used where it has one; annotations
carry the rest (Chinese texts, sensitivity, FHIR R4 path, GB/T 38962-2020 group). The GB/T groups are a crosswalk
to what is public of that standard, not a claim of conformance.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
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

_FHIR_PATH = re.compile(r"[A-Z][A-Za-z]+(\.[a-z][A-Za-z0-9]*)*")
_Named = TypeVar("_Named", CodeList, Table)
_SENSITIVITIES = frozenset(str(s) for s in Sensitivity)
_ELEMENT_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_SCALARS: Mapping[str, Callable[[str], Any]] = {
    "tag:yaml.org,2002:str": str,
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": float,
    "tag:yaml.org,2002:bool": lambda value: value == "true",
}
_YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml reads the files ten times faster


@lru_cache(maxsize=1)
def load() -> Standard:
    """The standard of this version of Hutong, read once in a process.

    Raises:
        BadInput: a file of the standard contradicts itself or another; the message names file and element.
    """
    return read(Path(__file__).parent)


def read(folder: Path) -> Standard:
    """Read the standard that lies in ``folder`` (``standard.yaml`` names its parts).

    Raises:
        BadInput: a file is missing, is no YAML, or contradicts itself or another.
    """
    root = _document(folder, "standard")
    version, parts = root.get("version"), root.get("imports", [])
    if not isinstance(version, str):
        raise _contradiction("standard", "it has no version in quotes")
    code_lists = _named((_code_list(d) for d in _declarations(folder, parts, "codes", "enums")), "code list")
    weeks = str(_document(folder, "types").get("types", {}).get("week", {}).get("pattern", ""))
    context = _Context(code_lists, {"week": weeks})
    fact = next(_declarations(folder, ["lineage"], "lineage", "classes"))
    lineage = _elements(fact, LINEAGE, context)
    declared = _declarations(folder, parts, "tables", "classes")
    tables = _named((_table(d, context, lineage) for d in declared), "table")
    used = {e.code_list.name for t in tables.values() for e in t.elements if e.code_list}
    for name in code_lists:
        if name not in used:
            raise _contradiction("standard", f"no element uses the code list {name}")
    return Standard(version, tables, code_lists, lineage)


@dataclass(frozen=True, slots=True)
class _Declaration:
    """One class or enumeration and the part (file without its ending) that declares it."""

    part: str
    key: str
    body: Mapping[str, Any]

    @property
    def name(self) -> str:
        return _snake(self.key)

    def members(self, slot: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The attributes of a class or the values of an enumeration, each a mapping."""
        found = self.body.get(slot)
        if not isinstance(found, dict) or not found:
            raise _contradiction(self.part, f"{self.key} has no {slot}")
        for name, given in found.items():
            if not isinstance(given, dict):
                raise _contradiction(self.part, f"{name} has no mapping under it")
            yield name, given


@dataclass(frozen=True, slots=True)
class _Context:
    """What elements refer to: the code lists by name, and the pattern that comes with a type."""

    code_lists: Mapping[str, CodeList]
    type_patterns: Mapping[str, str]


def _document(folder: Path, part: str) -> dict[str, Any]:
    try:
        text = (folder / f"{part}.yaml").read_text(encoding="utf-8")
        document = _plain(part, yaml.compose(text, Loader=_YAML_LOADER))
    except FileNotFoundError:
        raise _contradiction(part, "the file is missing") from None
    except yaml.YAMLError as error:
        raise _contradiction(part, f"it is no YAML ({str(error).splitlines()[0]})") from None
    if not isinstance(document, dict):
        raise _contradiction(part, "it holds no mapping")
    return document


def _plain(part: str, node: yaml.Node | None) -> Any:
    """The value of a YAML node. PyYAML's own constructor is half as fast and keeps the last of two equal keys."""
    if isinstance(node, yaml.ScalarNode):
        try:
            return _SCALARS[node.tag](node.value)
        except (KeyError, ValueError):
            message = f"{node.value!r} is no text, number or truth value: put it in quotes"
            raise _contradiction(part, message) from None
    if isinstance(node, yaml.SequenceNode):
        return [_plain(part, child) for child in node.value]
    if isinstance(node, yaml.MappingNode):
        mapping = {str(key.value): _plain(part, value) for key, value in node.value}
        if len(mapping) != len(node.value):
            names = [key.value for key, _ in node.value]
            raise _contradiction(part, f"{next(n for n in names if names.count(n) > 1)} is declared twice")
        return mapping
    return None


def _declarations(folder: Path, parts: Iterable[str], under: str, kind: str) -> Iterator[_Declaration]:
    """The declaration of each part whose name begins with ``under``; a file holds exactly one."""
    for part in parts:
        if part.split("/")[0] != under:
            continue
        found = _document(folder, part).get(kind) or {}
        if len(found) != 1:
            raise _contradiction(part, f"it declares {len(found)} {kind}, not one")
        declaration = _Declaration(part, *next(iter(found.items())))
        if part not in (f"{under}/{declaration.name}", LINEAGE):
            raise _contradiction(part, f"{declaration.key} belongs in {under}/{declaration.name}.yaml")
        yield declaration


def _named(things: Iterable[_Named], kind: str) -> Mapping[str, _Named]:
    named: dict[str, _Named] = {}
    for thing in things:
        if thing.name in named:
            raise _contradiction("standard", f"the {kind} {thing.name} is imported twice")
        named[thing.name] = thing
    if not named:
        raise _contradiction("standard", f"it imports no {kind}")
    return MappingProxyType(named)


def _code_list(declaration: _Declaration) -> CodeList:
    part, body = declaration.part, declaration.body
    codes = tuple(
        Code(
            value,
            _text(part, value, given, "label"),
            given.get("meaning", ""),
            tuple(given.get("exact_mappings", ())),
        )
        for value, given in declaration.members("permissible_values")
    )
    return CodeList(declaration.name, _text(part, declaration.key, body, "label"), codes)


def _table(declaration: _Declaration, context: _Context, lineage: tuple[Element, ...]) -> Table:
    part, body = declaration.part, declaration.body
    elements = _elements(declaration, declaration.name, context)
    own, inherited = {e.name for e in elements}, {e.name for e in lineage}
    if own & inherited:
        raise _contradiction(part, f"every fact has the element {min(own & inherited)} already")
    key = tuple(body.get("unique_keys", {}).get("key", {}).get("unique_key_slots", ()))
    if not key or not set(key) <= own | inherited:
        raise _contradiction(part, f"the key {key} is not made of its elements")
    return Table(
        name=declaration.name,
        label=_text(part, declaration.key, body, "label"),
        description=_text(part, declaration.key, body, "description"),
        fhir=_fhir(part, declaration.key, body),
        elements=elements,
        key=key,
    )


def _elements(declaration: _Declaration, table: str, context: _Context) -> tuple[Element, ...]:
    members = declaration.members("attributes")
    return tuple(_element(declaration.part, table, name, given, context=context) for name, given in members)


def _element(part: str, table: str, name: str, given: Mapping[str, Any], *, context: _Context) -> Element:
    if not _ELEMENT_NAME.fullmatch(name):
        raise _contradiction(part, f"{name!r} is no element name: write lower_case_words")
    given_range = given.get("range", "string")
    code_list = context.code_lists.get(_snake(given_range)) if given_range[:1].isupper() else None
    kind = "code" if code_list else given_range
    if kind not in TYPES:
        raise _contradiction(part, f"{name} has the unknown range {given_range!r}")
    annotations = given.get("annotations", {})
    if annotations.get("sensitivity") not in _SENSITIVITIES:
        raise _contradiction(part, f"{name} has no sensitivity out of {', '.join(Sensitivity)}")
    group = annotations.get("gbt_group", "")
    if group and group not in GBT_GROUPS:
        raise _contradiction(part, f"{name} has the unknown GB/T group {group!r}")
    minimum, maximum = _bounds(part, name, kind, given)
    return Element(
        name=name,
        table=table,
        type=kind,
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
        pattern=_pattern(part, name, kind, given.get("pattern", context.type_patterns.get(kind))),
    )


def _bounds(part: str, name: str, kind: str, given: Mapping[str, Any]) -> tuple[float | None, float | None]:
    minimum, maximum = given.get("minimum_value"), given.get("maximum_value")
    if (minimum, maximum) != (None, None) and kind not in ("integer", "decimal"):
        raise _contradiction(part, f"{name} has bounds but is no number")
    if minimum is not None and maximum is not None and minimum > maximum:
        raise _contradiction(part, f"{name} has a minimum above its maximum")
    return minimum, maximum


def _pattern(part: str, name: str, kind: str, pattern: str | None) -> str | None:
    if (pattern is not None) != (kind in ("string", "week")):
        raise _contradiction(part, f"{name} is a {kind}: a text needs a pattern and nothing else may have one")
    if pattern is not None:
        try:
            re.compile(pattern)
        except re.error:
            raise _contradiction(part, f"{name} has a pattern that is no regular expression") from None
    return pattern


def _fhir(part: str, name: str, given: Mapping[str, Any]) -> str:
    path = given.get("annotations", {}).get("fhir", "")
    if path and not _FHIR_PATH.fullmatch(path):
        raise _contradiction(part, f"{name} has the malformed FHIR path {path!r}")
    return str(path)


def _text(part: str, name: str, given: Mapping[str, Any], kind: str) -> Mapping[str, str]:
    """Label (LinkML ``title``) or description in English, and in Chinese from the annotation."""
    texts = {
        "en": given.get("title" if kind == "label" else kind),
        "zh": given.get("annotations", {}).get(f"{kind}_zh"),
    }
    for language in LANGUAGES:
        text = texts[language]
        if not isinstance(text, str) or not text.strip():
            raise _contradiction(part, f"{name} has no {kind} in {language!r}")
    return MappingProxyType(texts)


def _snake(key: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower()


def _contradiction(part: str, what: str) -> BadInput:
    return BadInput(f"The standard is inconsistent: {part}.yaml: {what}.", "Correct that file.")
