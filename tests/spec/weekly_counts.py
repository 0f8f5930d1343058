"""Weekly counts."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa

from hutong.opening.weekly_counts import VersionBefore, count_weeks, publishable

from .specification import Case, Chapter, Inputs

PLACES = """
    area_code text | counted_area text
    TW-67          | TW-67
    TW-6703500     | TW-6703500
    TW-6703500-001 | TW-6703500
"""
COUNT = "count_weeks(case, places)"


def _count(inputs: Inputs) -> Any:
    return count_weeks(inputs.case, inputs.places)


def _case(title: str, words: str, case: str, out: str) -> Case:
    return Case(title, words, {"case": case, "places": PLACES}, _count, COUNT, out)


def _publish(inputs: Inputs) -> pa.Table:
    counts = inputs.engine.to_arrow(_count(inputs))
    tree = inputs.engine.to_arrow(inputs.tree)
    found = publishable(counts, tree, indicator="cases", threshold=5, as_of=date(2016, 1, 1))
    return found.table.select(["area_code", "period_start", "year_week", "value", "status"])


def _publish_again(inputs: Inputs) -> pa.Table:
    """What is published after another version, of the cases that were known then."""
    tree, to_arrow = inputs.engine.to_arrow(inputs.tree), inputs.engine.to_arrow
    words: dict[str, Any] = {"indicator": "cases", "threshold": 5, "as_of": date(2016, 1, 1)}
    then = to_arrow(count_weeks(inputs.case_then, inputs.places))
    before = VersionBefore(publishable(then, tree, **words).table, then)
    found = publishable(to_arrow(_count(inputs)), tree, **words, before=before)
    return found.table.select(["area_code", "period_start", "value", "status"])


TREE = """
    area_code text | parent_code text | level integer | area_name text
    TW             | –                | 0             | Taiwan
    TW-67          | TW               | 1             | Tainan City
    TW-64          | TW               | 1             | Kaohsiung City
    TW-10013       | TW               | 1             | Pingtung County
"""
COUNTIES = """
    area_code text | counted_area text
    TW-67          | TW-67
    TW-64          | TW-64
    TW-10013       | TW-10013
"""

CHAPTER = Chapter(
    "weekly-counts",
    "Weekly counts by area",
    "A case is counted in the epidemiological week in which it began and in the published area of residence. `places` "
    "says for each area of the standard's table which published area it lies in.",
    (
        _case(
            "A week runs from Sunday to Saturday",
            "The period is the Sunday.",
            """
            true_from date | residence_area_code text | case_count integer
            2015-09-05     | TW-67                    | 1
            2015-09-06     | TW-67                    | 1
            2015-09-12     | TW-67                    | 1
            2015-09-13     | TW-67                    | 1
            """,
            """
            period date | counted_area text | n integer
            2015-08-30  | TW-67             | 1
            2015-09-06  | TW-67             | 2
            2015-09-13  | TW-67             | 1
            """,
        ),
        _case(
            "A week is not cut by the new year",
            "The last days of December and the first of January may be one week.",
            """
            true_from date | residence_area_code text | case_count integer
            2014-12-31     | TW-67                    | 1
            2015-01-03     | TW-67                    | 1
            """,
            """
            period date | counted_area text | n integer
            2014-12-28  | TW-67             | 2
            """,
        ),
        _case(
            "A row may stand for several people",
            "Counts are sums of `case_count`, not of rows.",
            """
            true_from date | residence_area_code text | case_count integer
            2015-09-06     | TW-67                    | 2
            2015-09-07     | TW-67                    | 1
            """,
            """
            period date | counted_area text | n integer
            2015-09-06  | TW-67             | 3
            """,
        ),
        _case(
            "A finer residence counts for the published area around it",
            "Villages are never published; their cases count for their township.",
            """
            true_from date | residence_area_code text | case_count integer
            2015-09-06     | TW-6703500-001           | 1
            2015-09-06     | TW-6703500               | 1
            2015-09-06     | TW-67                    | 1
            """,
            """
            period date | counted_area text | n integer
            2015-09-06  | TW-6703500        | 2
            2015-09-06  | TW-67             | 1
            """,
        ),
        _case(
            "A case without a known place counts for the country",
            "Its area is missing here; the release adds it to the country's total only.",
            """
            true_from date | residence_area_code text | case_count integer
            2015-09-06     | –                        | 1
            2015-09-06     | TW-99                    | 1
            """,
            """
            period date | counted_area text | n integer
            2015-09-06  | –                 | 2
            """,
        ),
        _case(
            "A case without a date is not counted",
            "A week can't be guessed.",
            """
            true_from date | residence_area_code text | case_count integer
            –              | TW-67                    | 1
            2015-09-06     | TW-67                    | 1
            """,
            """
            period date | counted_area text | n integer
            2015-09-06  | TW-67             | 1
            """,
        ),
        _case(
            "No cases, no rows",
            "A table that nothing was put in yet is a table.",
            "true_from date | residence_area_code text | case_count integer",
            "period date | counted_area text | n integer",
        ),
        Case(
            "A small count is withheld, and one more with it",
            "With a threshold of 5, three cases are withheld. If only they were, the country's total would give them "
            "back, so the next smallest count goes with them.",
            {
                "case": """
                    true_from date | residence_area_code text | case_count integer
                    2015-09-06     | TW-67                    | 40
                    2015-09-06     | TW-64                    | 9
                    2015-09-06     | TW-10013                 | 3
                """,
                "places": COUNTIES,
                "tree": TREE,
            },
            _publish,
            "publishable(count_weeks(case, places), tree, threshold=5)",
            """
            area_code text | period_start date | year_week text | value integer | status text
            TW             | 2015-09-06        | 2015-W36       | 52            | published
            TW-67          | 2015-09-06        | 2015-W36       | 40            | published
            TW-64          | 2015-09-06        | 2015-W36       | –             | withheld
            TW-10013       | 2015-09-06        | 2015-W36       | –             | withheld
            """,
        ),
        Case(
            "A newer version goes on withholding what protects a small count",
            "Kaohsiung has grown: by itself this version would withhold Tainan beside Pingtung, as the smaller one. "
            "But the version before published Tainan, and who takes both would find Pingtung's 3: 25 in all, less "
            "Kaohsiung's 12, less Tainan's 10.",
            {
                "case_then": """
                    true_from date | residence_area_code text | case_count integer
                    2015-09-06     | TW-67                    | 10
                    2015-09-06     | TW-64                    | 9
                    2015-09-06     | TW-10013                 | 3
                """,
                "case": """
                    true_from date | residence_area_code text | case_count integer
                    2015-09-06     | TW-67                    | 10
                    2015-09-06     | TW-64                    | 12
                    2015-09-06     | TW-10013                 | 3
                """,
                "places": COUNTIES,
                "tree": TREE,
            },
            _publish_again,
            "publishable(count_weeks(case, places), tree, threshold=5, before=…)",
            """
            area_code text | period_start date | value integer | status text
            TW             | 2015-09-06        | 25            | published
            TW-67          | 2015-09-06        | 10            | published
            TW-64          | 2015-09-06        | –             | withheld
            TW-10013       | 2015-09-06        | –             | withheld
            """,
        ),
        Case(
            "A week without a case is a row of the country, and zeros are not withheld",
            "The country has every week between its first and its last; an area that is not listed had no case.",
            {
                "case": """
                    true_from date | residence_area_code text | case_count integer
                    2015-09-06     | TW-67                    | 40
                    2015-09-20     | TW-64                    | 5
                """,
                "places": COUNTIES,
                "tree": TREE,
            },
            _publish,
            "publishable(count_weeks(case, places), tree, threshold=5)",
            """
            area_code text | period_start date | year_week text | value integer | status text
            TW             | 2015-09-06        | 2015-W36       | 40            | published
            TW-67          | 2015-09-06        | 2015-W36       | 40            | published
            TW             | 2015-09-13        | 2015-W37       | 0             | published
            TW             | 2015-09-20        | 2015-W38       | 5             | published
            TW-64          | 2015-09-20        | 2015-W38       | 5             | published
            """,
        ),
    ),
)
