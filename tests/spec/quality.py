"""Quality rules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from hutong.acquisition.conditions import find_element
from hutong.acquisition.quality import assess
from hutong.acquisition.quality_file import read_rules
from hutong.acquisition.receipt import Noticed, Receipt
from hutong.standard import load

from .specification import Case, Chapter, Inputs

AT = datetime(2025, 1, 1, tzinfo=UTC)
STANDARD = load()
WEIGHTS = """
dimensions: {completeness: 1, validity: 1, consistency: 1, timeliness: 1, uniqueness: 1}
labels: {good_from: 0.9, fair_from: 0.75, floor: 0.5}
"""
COUNTS = "checked integer | concerned integer"


def _receipt(rows: int, accepted: int, findings: Mapping[str, int]) -> Receipt:
    return Receipt(
        id="r", source="s", table="case", file_name="f.csv", file_sha256="0", file_bytes=1, mapping="m@1",
        mapping_sha256="0", boundary="b", rows=rows, accepted=accepted, held=rows - accepted, rejected=0,
        findings=tuple(Noticed(rule, "column", n) for rule, n in findings.items()), refused_values={},
        columns_outside=(), received_at=AT, seconds=0.1,
    )  # fmt: skip


def _case(
    title: str,
    words: str,
    rule: str,
    case: str,
    checked: int,
    concerned: int,
    findings: Mapping[str, int] | None = None,
    area: str | None = None,
) -> Case:
    def expression(inputs: Inputs) -> pa.Table:
        text = f'table: case\nrules: [{{id: r, dimension: validity, title: {{en: "x", zh: "x"}}, {rule}}}]\n'
        rules = read_rules(text, WEIGHTS, STANDARD)
        accepted = inputs.engine.to_arrow(inputs.case).num_rows
        receipts = [_receipt(accepted + sum((findings or {}).values()), accepted, findings or {})]
        areas = inputs.tables.get("area")
        report = assess(inputs.case, rules, receipts, to_arrow=inputs.engine.to_arrow, at=AT, areas=areas)
        (found,) = report.results
        return pa.table({"checked": [found.checked], "concerned": [found.concerned]})

    tables = {"case": case} if area is None else {"case": case, "area": area}
    return Case(title, words, tables, expression, f"{{{rule}}}", f"{COUNTS}\n{checked} | {concerned}")


CHAPTER = Chapter(
    "quality",
    "Quality rules",
    "A rule says of how many rows it *checked* how many it *concerns*; the score is the share it does not concern. "
    "A rule that compares two elements checks only rows that have both. Assessed on 1 January 2025.",
    (
        _case(
            "An element must be present",
            "Every row is checked.",
            "require: onset_date present",
            """
            onset_date date
            2015-09-06
            –
            –
            """,
            3,
            2,
        ),
        _case(
            "One of several elements must be present",
            "Either is enough; every row is checked.",
            "require: age or age_group present",
            """
            age integer | age_group text
            35          | –
            –           | 35-39
            35          | 35-39
            –           | –
            """,
            4,
            1,
        ),
        _case(
            "Two dates must be in order",
            "Rows that lack one of them are not checked: that is another rule's finding.",
            "require: notification_date >= onset_date",
            """
            onset_date date | notification_date date
            2015-09-06      | 2015-09-06
            2015-09-06      | 2015-09-05
            2015-09-06      | –
            –               | 2015-09-06
            """,
            2,
            1,
        ),
        _case(
            "A date must come within so many days",
            "The seventh day is still in time.",
            "require: notification_date <= onset_date + 7 days",
            """
            onset_date date | notification_date date
            2015-09-06      | 2015-09-13
            2015-09-06      | 2015-09-14
            """,
            2,
            1,
        ),
        _case(
            "A rule may hold only when another condition does",
            "Whether a country is told is asked of imported cases alone.",
            "when: imported == true, require: infection_country present",
            """
            imported boolean | infection_country text
            true             | TH
            true             | –
            false            | –
            –                | –
            """,
            2,
            1,
        ),
        _case(
            "A row that was held for the same reason counts too",
            "It is not in the table any more, but the list had it: what acquisition found is added to both numbers.",
            "require: notification_date >= onset_date, findings: [notification-before-onset]",
            """
            onset_date date | notification_date date
            2015-09-06      | 2015-09-06
            """,
            2,
            1,
            {"notification-before-onset": 1},
        ),
        _case(
            "At least one row must meet a condition",
            "A list without a single infant has probably lost them. What is counted is the list.",
            "kind: some, require: age < 1",
            """
            age integer
            1
            35
            """,
            1,
            1,
        ),
        _case(
            "Equal rows are a finding, never a reason to drop one",
            "Without case numbers two equal rows may be two people: the first of each group is not concerned. Where a "
            "row came from (its lineage) does not make it different.",
            "kind: equal-rows",
            """
            row_number integer | age integer | sex text
            1                  | 31          | female
            2                  | 31          | female
            3                  | 31          | female
            4                  | 31          | male
            5                  | –           | –
            6                  | –           | –
            """,
            6,
            3,
        ),
        _case(
            "An area lies in one parent",
            "Codes made of names: the province X lies in A most of the time, so the row that puts it into B is "
            "concerned. A row of the first level has no parent to check.",
            "kind: one-parent, elements: [residence_area_code]",
            """
            residence_area_code text
            PE-A.X.1
            PE-A.X.2
            PE-B.X.1
            PE-B.Y.1
            PE-A
            """,
            4,
            1,
        ),
        _case(
            "An area is one of those that the source lists",
            "A misspelt name is accepted and counts for the whole only; this finds it before it is published. A source "
            "without a list of areas is not checked.",
            "kind: known-area, elements: [residence_area_code]",
            """
            residence_area_code text
            TW-67
            TW-67
            TW-76
            –
            """,
            3,
            1,
            area="""
            area_code text
            TW-67
            TW-68
            """,
        ),
        _case(
            "Coordinates lie near the middle of their area",
            "The middle is the median of the area's own rows.",
            "kind: near-its-area, limit: 0.3, elements: [residence_area_code, residence_longitude, residence_latitude]",
            """
            residence_area_code text | residence_longitude decimal | residence_latitude decimal
            TW-67                    | 120.1                       | 23.0
            TW-67                    | 120.2                       | 23.0
            TW-67                    | 120.3                       | 23.0
            TW-67                    | 121.5                       | 23.0
            TW-67                    | –                           | –
            """,
            4,
            1,
        ),
        _case(
            "Coordinates lie in their country",
            "Longitude and latitude that were exchanged are found this way. A country without a box is not checked.",
            "kind: in-country, boxes: {TW: [118, 21, 122, 27]}, "
            "elements: [residence_area_code, residence_longitude, residence_latitude]",
            """
            residence_area_code text | residence_longitude decimal | residence_latitude decimal
            TW-67                    | 120.2                       | 23.0
            TW-67                    | 23.0                        | 120.2
            PE-LIMA                  | -77.0                       | -12.0
            TW-67                    | –                           | –
            """,
            2,
            1,
        ),
        _case(
            "A list must be fresh",
            "The newest fact may be at most so many days old. What is counted is the list.",
            "kind: fresh, elements: [true_from], limit: 90",
            """
            true_from date
            2024-01-01
            2024-09-01
            –
            """,
            1,
            1,
        ),
        _case(
            "A list without what a rule reads is not scored on it",
            "Nothing checked is no score, not a perfect one.",
            "require: age <= 100",
            """
            age integer
            –
            –
            """,
            0,
            0,
        ),
    ),
)


def elements_exist() -> None:
    """The elements that this chapter's tables use are the standard's: a renamed element must not leave the manual."""
    table, known = STANDARD.table("case"), {element.name for element in STANDARD.lineage}
    for case in CHAPTER.cases:
        for named in case.tables["case"].strip().splitlines()[0].split("|"):
            name: Any = named.strip().rsplit(" ", 1)[0]
            if name not in known:
                find_element(name, table, STANDARD)
