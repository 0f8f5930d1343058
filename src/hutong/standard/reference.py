"""The reference page of the standard, in English and Chinese: ``python -m hutong.standard.reference [FILE]``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from hutong.standard.element import CodeList, Element, Standard, Table
from hutong.standard.loader import load

PAGE: Final = Path("docs/reference/standard.md")

_INTRODUCTION = """\
# The data standard · 数据标准

<!-- Generated from src/hutong/standard by `python -m hutong.standard.reference`: change the files there. -->

Version · 版本 {version}: {tables} tables · 张表, {elements} elements · 个元素, {lists} code lists · 个代码表.

A *necessary* element (必备) must be given; an *elastic* one (弹性) may be left out by a region that does not
collect it. *Sensitivity* (敏感性) says what an element can give away: an **identifier** (标识符) names one person and
lives in the vault only; a **quasi-identifier** (准标识符) names a person together with others; **sensitive** (敏感)
must not be learnt by linking; **plain** (普通) says nothing about a person on its own.

*GB/T* gives the group of GB/T 38962-2020 (basic 基本, health 健康, trip 行程, verification 核验) to which an element
corresponds. It is a crosswalk to what is public of that standard; conformance is not claimed.
与 GB/T 38962-2020 的对应关系仅依据公开内容整理，不声明符合该标准。

*FHIR* gives the path in FHIR R4 that holds the same thing; it is empty where R4 has no place for it.
"""


def reference_page(standard: Standard) -> str:
    """The page as Markdown (GitHub tables), tables first, then code lists."""
    return "\n".join(_lines(standard)).rstrip("\n") + "\n"


def main(arguments: Sequence[str]) -> None:
    """Write the page to the file given, or to ``docs/reference/standard.md`` below the current folder."""
    page = Path(arguments[0]) if arguments else PAGE
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(reference_page(load()), encoding="utf-8")


def _lines(standard: Standard) -> Iterator[str]:
    tables, lists = standard.tables.values(), standard.code_lists.values()
    elements = sum(len(table.elements) for table in tables) + len(standard.lineage)
    yield _INTRODUCTION.format(version=standard.version, tables=len(tables), elements=elements, lists=len(lists))
    yield "## Lineage of every fact · 每条事实的来历"
    yield ""
    yield "Every row of every table has these besides its own. Nothing is overwritten: a correction is a new fact."
    yield "每张表的每一行都另有以下元素。不覆盖任何内容：更正即新的事实。"
    yield ""
    yield from _element_rows(standard.lineage)
    yield "## Tables · 表"
    yield ""
    for table in tables:
        yield from _table_section(table)
    yield "## Code lists · 代码表"
    yield ""
    for code_list in lists:
        yield from _code_list_section(code_list)


def _table_section(table: Table) -> Iterator[str]:
    yield f"### {table.name} · {table.label['zh']}"
    yield ""
    yield f"{table.description['en']} {table.description['zh']}"
    yield ""
    fhir = f" FHIR R4: `{table.fhir}`." if table.fhir else ""
    yield f"Key · 主键: {', '.join(f'`{name}`' for name in table.key)}.{fhir}"
    yield ""
    yield from _element_rows(table.elements)


def _element_rows(elements: Iterable[Element]) -> Iterator[str]:
    yield "| Element | English | 中文 | Type · 类型 | Necessary · 必备 | Sensitivity · 敏感性 | GB/T | FHIR |"
    yield "|---|---|---|---|---|---|---|---|"
    for element in elements:
        english, chinese = (
            f"**{element.label[language]}** {element.description[language]}" for language in ("en", "zh")
        )
        yield _row(
            f"`{element.name}`",
            english,
            chinese,
            _type(element),
            "necessary · 必备" if element.necessary else "elastic · 弹性",
            element.sensitivity.value,
            element.gbt_group,
            f"`{element.fhir}`" if element.fhir else "",
        )
    yield ""


def _type(element: Element) -> str:
    if element.code_list:
        return f"code [{element.code_list.name}](#{element.code_list.name})"
    parts = [element.type]
    if element.minimum is not None or element.maximum is not None:
        low = "" if element.minimum is None else f"{element.minimum:g}"
        high = "" if element.maximum is None else f"{element.maximum:.12g}"
        parts.append(f"{low}…{high}")
    if element.unit:
        parts.append(element.unit)
    if element.pattern:
        parts.append(f"`{element.pattern}`")
    return " ".join(parts)


def _code_list_section(code_list: CodeList) -> Iterator[str]:
    yield f'### <a id="{code_list.name}"></a>{code_list.name} · {code_list.text["zh"]}'
    yield ""
    yield f"{code_list.text['en']}."
    yield ""
    yield "| Value | English | 中文 | Same as · 等同于 |"
    yield "|---|---|---|---|"
    for code in code_list.codes:
        same = ", ".join(name for name in (code.meaning, *code.mappings) if name)
        yield _row(f"`{code.value}`", code.text["en"], code.text["zh"], same)
    yield ""


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    main(sys.argv[1:])
