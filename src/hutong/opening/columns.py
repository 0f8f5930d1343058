"""What the columns of a release are: their titles and meanings from the standard, their datatypes from the file.

Of case records the meaning says at which level they are released. A datatype is one of CSVW's
(https://www.w3.org/TR/tabular-data-primer/#datatypes): that of the file, since a release may say less than the
standard (a month where the standard has a day).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from hutong.standard import Element, Standard

from .catalogue.catalogue import Column, Text
from .released_counts import is_counts

if TYPE_CHECKING:
    import pyarrow as pa

COUNTS: Final = {
    "area_name": (
        Text("Area name", "地区名称"),
        Text("Name of the area, as the source gives it.", "来源所用的地区名称。"),
    ),
    "year_week": (
        Text("Week", "周"),
        Text(
            "Epidemiological week, year and number (MMWR, from Sunday to Saturday).",
            "流行病学周，含年份与周次（MMWR，周日至周六）。",
        ),
    ),
    "status": (
        Text("Status", "状态"),
        Text(
            "published, or withheld: then the value is empty, which is not zero.",
            "已公布（published）或未公布（withheld）：未公布时数值为空，并不是零。",
        ),
    ),
}
"""Columns whose meaning is of the released file, and not that of an element of the standard with the same name."""

LEVELS: Final = {
    "week": Text("the week (ISO 8601), such as 2018-W40", "周（ISO 8601），如 2018-W40"),
    "month": Text(
        "the month in which the week's Thursday lies, such as 2018-10", "所在周的星期四所属的月份，如 2018-10"
    ),
    "quarter": Text(
        "the quarter in which the week's Thursday lies, such as 2018-Q4", "所在周的星期四所属的季度，如 2018-Q4"
    ),
    "year": Text("the year in which the week's Thursday lies, such as 2018", "所在周的星期四所属的年份，如 2018"),
    "5 years": Text("bands of five years, such as 20-24", "五岁一组的年龄段，如 20-24"),
    "10 years": Text("bands of ten years, such as 20-29", "十岁一组的年龄段，如 20-29"),
    "20 years": Text("bands of twenty years, such as 20-39", "二十岁一组的年龄段，如 20-39"),
    "district": Text("areas of the third level below the country", "三级区划"),
    "region 2": Text("areas of the second level below the country", "二级区划"),
    "region 1": Text("areas of the first level below the country", "一级区划"),
    "country": Text("the country", "国家"),
    "all": Text("one value for all, *", "同一个值（*）"),
}
"""Levels of :mod:`hutong.opening.generalisation` by name; at the others a value stands as the standard has it."""

_TABLES: Final = {True: ("count", "area", "case"), False: ("case", "person", "area")}


def elements(names: Iterable[str], standard: Standard) -> dict[str, Element | None]:
    """The element of the standard behind each column of a file; None where there is none."""
    wanted = tuple(names)
    tables = [standard.table(table) for table in _TABLES[is_counts(wanted)]]
    known: dict[str, Element] = {}
    for element in (*(element for table in tables for element in table.elements), *standard.lineage):
        known.setdefault(element.name, element)
    return {name: known.get(name) for name in wanted}


def wording(name: str, element: Element | None) -> tuple[Text, Text | None]:
    """Title and meaning of a column; one that the standard does not know is called by its name, and has no meaning."""
    if name in COUNTS:
        return COUNTS[name]
    if element is None:
        return Text(name), None
    return Text(element.label["en"], element.label["zh"]), Text(element.description["en"], element.description["zh"])


def described(schema: pa.Schema, standard: Standard, levels: Mapping[str, str]) -> tuple[Column, ...]:
    """The columns of a release's file with this schema, in its order; ``levels`` names those of generalised ones."""
    columns = []
    for name, element in elements(schema.names, standard).items():
        title, meaning = wording(name, element)
        about = _at_level(meaning or title, levels.get(name, ""))
        columns.append(Column(name, _datatype(schema.field(name).type), title, about))
    return tuple(columns)


def _at_level(meaning: Text, level: str) -> Text:
    if level not in LEVELS:
        return meaning
    to = LEVELS[level]
    return Text(f"{meaning.en} Released here: {to.en}.", f"{meaning.zh}此处发布的是{to.zh}。")


def _datatype(kind: pa.DataType) -> str:
    from pyarrow import types

    if types.is_integer(kind):
        return "integer"
    if types.is_floating(kind):
        return "double"
    if types.is_boolean(kind):
        return "boolean"
    if types.is_date(kind):
        return "date"
    return "dateTime" if types.is_timestamp(kind) else "string"
