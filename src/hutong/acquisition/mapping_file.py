"""Reads a mapping file (YAML). The whole language, one element at a time::

    mapping: taiwan-case            # id
    version: 1
    table: case                     # a table of the standard
    format: {delimiter: ",", encoding: utf-8}
    nulls: ["None"]                 # texts that mean "missing"; the empty cell always does
    elements:
      disease: {constant: dengue}
      onset_date: {from: Date_Onset, date: "%Y/%m/%d"}
      sex: {from: Sex, codes: {M: male, F: female}}
      age: {from: edad, on_invalid: held}                  # or null (counted, emptied) or rejected
      area: {from: [a, b], separator: ".", prefix: "PE-", spaces: "_", replace: {OLD: NEW}}
      weight: {from: kg, number: {thousands: ".", decimal: ","}, scale: 0.001}
      report_week: {week: {year: ano, number: semana, system: epi}}   # also gives a date: the first day
      age_group: {from: edad, bands: five-year}
      arrived: {from: t, datetime: "%Y-%m-%d %H:%M", utc_offset: "+08:00"}
      pseudonym: {vault: resident_number}                  # the caller's vault names the person
    true_from: onset_date           # element that says when the fact was true
    rows:
      - {id: order, require: "notification_date >= onset_date", else: held, reason: "…"}
    agreements:
      - {id: names-differ, columns: [A, B], replace: {"Dist.": District}}
    ignored: {Column: "why it is not taken"}

An ``area`` mapping has ``levels`` instead of ``elements``: ``[{level: region1, elements: {…}, centre: [lon,
lat]}]``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from hutong.acquisition.conditions import parse as parse_condition
from hutong.acquisition.mapping import Agreement, ElementRule, Level, Mapping, RowRule
from hutong.acquisition.readers.table import TableFormat
from hutong.acquisition.values import Origin
from hutong.acquisition.weeks import SYSTEMS
from hutong.errors import BadInput, LimitExceeded, NotFound
from hutong.standard import Element, Standard, Table
from hutong.standard.yaml_text import at_line, load_yaml, text_of

FILE_BYTES_MAX = 256 * 1024
_TOP = ("mapping", "version", "table", "format", "nulls", "elements", "levels", "true_from", "rows", "agreements",
        "ignored")  # fmt: skip
_ORIGIN = ("from", "constant", "vault", "week", "date", "datetime", "utc_offset", "number", "scale", "codes",
           "replace", "separator", "prefix", "spaces", "bands", "nulls", "on_invalid")  # fmt: skip
_DATE_DIRECTIVES = re.compile(r"%[YmdbBjHMSfzT%]")


def load_mapping(path: Path, standard: Standard) -> Mapping:
    """Read and check a mapping file. Raises NotFound, LimitExceeded, BadInput naming file, place and nearest
    word."""
    return read_mapping(mapping_text(path), standard, name=path.name)


def mapping_text(path: Path) -> str:
    """The text of a mapping file. Raises NotFound, LimitExceeded, BadInput when it is not UTF-8."""
    if not path.is_file():
        raise NotFound(f"There is no mapping file {path}.", "Check the path.")
    if path.stat().st_size > FILE_BYTES_MAX:
        raise LimitExceeded(f"{path.name} is larger than {FILE_BYTES_MAX:,} bytes.", "A mapping is a short file.")
    return text_of(path.read_bytes(), path.name)


def read_mapping(text: str, standard: Standard, *, name: str = "mapping") -> Mapping:
    """Read and check the text of a mapping file. Raises BadInput."""
    try:
        document = load_yaml(text, name)
    except yaml.YAMLError as error:
        raise BadInput(f"{name} is not YAML{at_line(error)}.", "Correct its indentation and quotes.") from error
    return _Reader(name, standard).mapping(document)


class _Reader:
    """Turns one parsed document into a Mapping; remembers the file's name for its messages."""

    def __init__(self, name: str, standard: Standard) -> None:
        self._name, self._standard = name, standard

    def mapping(self, document: Any) -> Mapping:
        body = self._body(document, "the file", _TOP)
        table = self._standard.table(self._text(body, "table", "the file"))
        nulls = self._texts(body.get("nulls", []), "nulls")
        rules: tuple[ElementRule, ...] = ()
        levels: tuple[Level, ...] = ()
        if "levels" in body:
            if table.name != "area" or "elements" in body:
                raise self._bad("`levels` belong to the table area, and stand instead of `elements`")
            levels = tuple(self._level(level, table, nulls) for level in self._list(body["levels"], "levels"))
        else:
            rules = self._rules(body.get("elements"), table, nulls)
        mapping = Mapping(
            id=self._text(body, "mapping", "the file"),
            version=self._version(body.get("version")),
            table=table,
            format=self._format(body.get("format", {})),
            rules=rules,
            row_rules=tuple(self._row_rule(r, table) for r in self._list(body.get("rows", []), "rows")),
            agreements=tuple(self._agreement(a) for a in self._list(body.get("agreements", []), "agreements")),
            ignored=self._text_map(body.get("ignored", {}), "ignored"),
            true_from=self._true_from(body.get("true_from"), table),
            levels=levels,
        )
        mapping.check_necessary()
        self._check_conditions(mapping)
        return mapping

    def _check_conditions(self, mapping: Mapping) -> None:
        known = {*mapping.elements, "known_at", "true_from", "row_number"}
        for rule in mapping.row_rules:
            read = [*rule.require.elements, *(rule.when.elements if rule.when else ())]
            unknown = [name for name in read if name not in known]
            if unknown:
                raise self._bad(f"the row rule {rule.id} reads {unknown[0]}, which the mapping does not give")
        if mapping.true_from and mapping.true_from not in mapping.elements:
            raise self._bad(f"`true_from` names {mapping.true_from}, which the mapping does not give")

    def _rules(self, given: Any, table: Table, nulls: frozenset[str]) -> tuple[ElementRule, ...]:
        elements = self._body(given, "`elements`", None)
        rules = []
        for name, spec in elements.items():
            try:
                element = table.element(str(name))
            except BadInput as error:
                raise self._bad(error.what.rstrip("."), error.do) from None
            rules.append(self._rule(element, spec, nulls))
        return tuple(rules)

    def _rule(self, element: Element, given: Any, nulls: frozenset[str]) -> ElementRule:
        where = f"the element {element.name}"
        spec = self._body(given, where, _ORIGIN)
        origins = [key for key in ("from", "constant", "vault", "week") if key in spec]
        if len(origins) != 1:
            raise self._bad(f"{where} needs exactly one of: from, constant, vault, week")
        on_invalid = "null" if spec.get("on_invalid", "held") is None else str(spec.get("on_invalid", "held"))
        if on_invalid not in ("held", "rejected", "null"):
            raise self._bad(f"{where} has on_invalid {on_invalid!r}: use held, rejected or null")
        origin = self._origin(element, spec, nulls, where)
        return ElementRule(element, origin, on_invalid)  # type: ignore[arg-type] # checked just above

    def _origin(self, element: Element, spec: dict[str, Any], nulls: frozenset[str], where: str) -> Origin:
        if "constant" in spec:
            return Origin(constant=self._constant(element, spec["constant"], where))
        number = self._body(spec.get("number", {}), f"{where}, `number`", ("thousands", "decimal"))
        thousands, decimal = str(number.get("thousands", "")), str(number.get("decimal", "."))
        if len(thousands) > 1 or len(decimal) != 1 or thousands == decimal:
            raise self._bad(f"{where}: thousands and decimal must be two different characters")
        columns, system = self._origin_columns(spec, where)
        if element.type == "week" and len(columns) == 1 and system is None:
            system = "iso"
        scale = spec.get("scale", 1.0)
        if not isinstance(scale, int | float) or isinstance(scale, bool):
            raise self._bad(f"{where}: scale must be a number")
        if spec.get("bands") not in (None, "five-year"):
            raise self._bad(f"{where}: bands can only be five-year")
        return Origin(
            columns=columns,
            vault="vault" in spec,
            nulls=self._texts(spec["nulls"], where) if "nulls" in spec else nulls,
            replace=self._text_map(spec.get("replace", {}), f"{where}, `replace`"),
            codes=self._codes(element, spec, where),
            separator=str(spec.get("separator", "")),
            prefix=str(spec.get("prefix", "")),
            spaces=None if spec.get("spaces") is None else str(spec["spaces"]),
            formats=self._date_formats(element, spec, system, where),
            utc_offset=self._utc_offset(spec.get("utc_offset"), where),
            thousands=thousands,
            decimal=decimal,
            scale=float(scale),
            week_system=system,
            bands="bands" in spec,
        )

    def _origin_columns(self, spec: dict[str, Any], where: str) -> tuple[tuple[str, ...], str | None]:
        if "week" in spec:
            week = self._body(spec["week"], f"{where}, `week`", ("year", "number", "system"))
            system = self._text(week, "system", f"{where}, `week`")
            if system not in SYSTEMS:
                raise self._bad(f"{where}: the week system is one of {', '.join(SYSTEMS)}")
            return tuple(self._text(week, key, f"{where}, `week`") for key in ("year", "number")), system
        given = spec.get("from", spec.get("vault"))
        columns: tuple[Any, ...] = tuple(given) if isinstance(given, list) else (given,)
        if not columns or not all(isinstance(c, str) and c for c in columns) or len(columns) > 6:
            raise self._bad(f"{where}: name one column, or a list of at most six")
        return columns, None

    def _constant(self, element: Element, value: Any, where: str) -> Any:
        if element.code_list:
            return element.code_list.code(str(value)).value
        expected = {"integer": int, "decimal": int | float, "boolean": bool}.get(element.type, str)
        unfit = not isinstance(value, expected) or (isinstance(value, bool) and element.type != "boolean")
        if unfit or element.type in ("date", "datetime"):
            raise self._bad(f"{where}: the constant {value!r} is no {element.type} (dates: map a column)")
        return value

    def _codes(self, element: Element, spec: dict[str, Any], where: str) -> dict[str, Any] | None:
        if "codes" not in spec:
            if element.type == "boolean" and "constant" not in spec:
                raise self._bad(f"{where} is a boolean: declare `codes`, for example {{Y: true, N: false}}")
            return None
        codes = self._body(spec["codes"], f"{where}, `codes`", None)
        for raw, value in codes.items():
            if not isinstance(raw, str):
                raise self._bad(f"{where}: YAML reads the code {raw!r} as no text; put it in quotes")
            codes[raw] = self._constant(element, value, f"{where}, code {raw!r}")
        return codes

    def _date_formats(self, element: Element, spec: dict[str, Any], system: str | None, where: str) -> tuple[str, ...]:
        if element.type not in ("date", "datetime") or system:
            return ()
        given = spec.get(element.type)
        formats = tuple(given) if isinstance(given, list) else (given,)
        if not given or not all(isinstance(form, str) for form in formats):
            raise self._bad(f'{where}: declare how it is written, for example `{element.type}: "%d/%m/%Y"`')
        orders = set()
        for form in formats:
            rest = _DATE_DIRECTIVES.sub("", form)
            if "%" in rest or "%Y" not in form:
                raise self._bad(f"{where}: the format {form!r} needs %Y and may use %m %d %b %B %j %H %M %S %f %z")
            if "%d" in form and "%m" in form and not form.startswith("%Y"):
                orders.add("day first" if form.index("%d") < form.index("%m") else "month first")
        if len(orders) > 1:
            raise self._bad(f"{where}: day-first and month-first formats together are ambiguous; declare one")
        return formats

    def _utc_offset(self, given: Any, where: str) -> timedelta | None:
        if given is None:
            return None
        match = re.fullmatch(r"([+-])([0-1][0-9]):([0-5][0-9])", str(given))
        if match is None:
            raise self._bad(f'{where}: write utc_offset as "+08:00"')
        offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
        return -offset if match[1] == "-" else offset

    def _row_rule(self, given: Any, table: Table) -> RowRule:
        spec = self._body(given, "a row rule", ("id", "require", "when", "else", "reason"))
        rule_id = self._text(spec, "id", "a row rule")
        where = f"the row rule {rule_id}"
        outcome = spec.get("else", "held")
        if outcome not in ("held", "rejected", "finding"):
            raise self._bad(f"{where}: `else` is held, rejected or finding")
        when = parse_condition(spec["when"], table, self._standard) if "when" in spec else None
        require = parse_condition(self._text(spec, "require", where), table, self._standard)
        return RowRule(rule_id, require, self._text(spec, "reason", where), outcome, when)

    def _agreement(self, given: Any) -> Agreement:
        spec = self._body(given, "an agreement", ("id", "columns", "replace"))
        columns = self._list(spec.get("columns"), "columns")
        if len(columns) != 2 or not all(isinstance(c, str) for c in columns):
            raise self._bad("an agreement names two columns")
        return Agreement(
            self._text(spec, "id", "an agreement"),
            (columns[0], columns[1]),
            self._text_map(spec.get("replace", {}), "replace"),
        )

    def _level(self, given: Any, table: Table, nulls: frozenset[str]) -> Level:
        spec = self._body(given, "a level", ("level", "elements", "centre"))
        level = table.element("level")
        name = self._text(spec, "level", "a level")
        if level.code_list:
            level.code_list.code(name)
        rules = self._rules(spec.get("elements"), table, nulls)
        missing = {"area_code", "name_en"} - {rule.element.name for rule in rules}
        if missing:
            raise self._bad(f"the level {name} gives no {', '.join(sorted(missing))}")
        centre = spec.get("centre")
        if centre is not None and (not isinstance(centre, list) or len(centre) != 2):
            raise self._bad(f"the level {name}: centre is [longitude column, latitude column]")
        return Level(name, rules, (str(centre[0]), str(centre[1])) if centre else None)

    def _format(self, given: Any) -> TableFormat:
        spec = self._body(given, "`format`", ("kind", "delimiter", "encoding"))
        return TableFormat(spec.get("kind", "text"), spec.get("delimiter"), spec.get("encoding"))

    def _true_from(self, given: Any, table: Table) -> str | None:
        if given is None:
            return None
        element = table.element(str(given))
        if element.type not in ("date", "datetime", "week"):
            raise self._bad(f"`true_from` names {element.name}, which is no date and no week")
        return element.name

    def _version(self, given: Any) -> int:
        if not isinstance(given, int) or isinstance(given, bool) or given < 1:
            raise self._bad("`version` is a whole number from 1")
        return given

    def _body(self, given: Any, where: str, allowed: Iterable[str] | None) -> dict[str, Any]:
        if not isinstance(given, dict):
            raise self._bad(f"{where} must be a list of names with values")
        if allowed is not None:
            words = list(allowed)
            for key in given:
                if key not in words:
                    near = difflib.get_close_matches(str(key), words, n=1, cutoff=0.0)
                    raise self._bad(f"{where} has the unknown word {str(key)[:60]!r}", f"Is it {near[0]!r}?")
        return dict(given)

    def _text(self, body: dict[str, Any], key: str, where: str) -> str:
        value = body.get(key)
        if not isinstance(value, str) or not value.strip():
            raise self._bad(f"{where} needs `{key}` as text")
        return value

    def _texts(self, given: Any, where: str) -> frozenset[str]:
        values = self._list(given, where)
        if not all(isinstance(v, str) for v in values):
            raise self._bad(f"{where}: put every text in quotes")
        return frozenset(values)

    def _list(self, given: Any, where: str) -> list[Any]:
        if not isinstance(given, list):
            raise self._bad(f"`{where}` must be a list")
        return given

    def _text_map(self, given: Any, where: str) -> dict[str, str]:
        body = self._body(given, where, None)
        if not all(isinstance(k, str) and isinstance(v, str) for k, v in body.items()):
            raise self._bad(f"{where}: names and values must be texts (in quotes)")
        return body

    def _bad(self, what: str, do: str = "Correct the mapping file.") -> BadInput:
        return BadInput(f"{self._name}: {what}.", do)
