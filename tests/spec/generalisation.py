"""Levels at which a quasi-identifier may be published."""

# ruff: noqa: E501 - a written table is read by its columns, and breaking its lines would hide them

from __future__ import annotations

from typing import Any

import pyarrow as pa

from hutong.opening import generalisation
from hutong.opening.deidentification import deidentify
from hutong.opening.generalisation import Hierarchy

from .specification import Case, Chapter, Inputs, read_table

AREAS = """
    area_code text | parent_code text | level integer
    TW             | –                | 0
    TW-67          | TW               | 1
    TW-64          | TW               | 1
    TW-6703500     | TW-67            | 2
    TW-6703600     | TW-67            | 2
"""


def _expand(hierarchy: Hierarchy) -> Any:
    def expression(inputs: Inputs) -> Any:
        return hierarchy.expand(inputs.case.select(hierarchy.element))

    return expression


def _case(title: str, words: str, hierarchy: Hierarchy, shown: str, case: str, out: str) -> Case:
    return Case(title, words, {"case": case}, _expand(hierarchy), f"{shown}.expand(case)", out)


def _release(inputs: Inputs) -> pa.Table:
    hierarchies = [generalisation.dates("true_from"), generalisation.as_given("sex")]
    return deidentify(inputs.case, hierarchies, k=3, suppression_limit=0.2).table


CHAPTER = Chapter(
    "generalisation",
    "Generalisation of case records",
    "Each quasi-identifier has levels, from the value as it is (`…__0`) to everything as one (`*`). A level follows "
    "from the one before. A missing value stays missing until the last level: it is a value of its own.",
    (
        _case(
            "Dates: day, week, month, quarter, year, all",
            "Weeks are those of ISO 8601, and a month, quarter or year is that of the week's Thursday, so that no week "
            "is cut in two: 31 December 2015 and 1 January 2016 are the same week and the same year.",
            generalisation.dates("true_from"),
            'dates("true_from")',
            """
            true_from date
            2015-09-06
            2015-12-31
            2016-01-01
            2016-01-04
            –
            """,
            """
            true_from date | true_from__0 text | true_from__1 text | true_from__2 text | true_from__3 text | true_from__4 text | true_from__5 text
            2015-09-06     | 2015-09-06        | 2015-W36          | 2015-09           | 2015-Q3           | 2015              | *
            2015-12-31     | 2015-12-31        | 2015-W53          | 2015-12           | 2015-Q4           | 2015              | *
            2016-01-01     | 2016-01-01        | 2015-W53          | 2015-12           | 2015-Q4           | 2015              | *
            2016-01-04     | 2016-01-04        | 2016-W01          | 2016-01           | 2016-Q1           | 2016              | *
            –              | –                 | –                 | –                 | –                 | –                 | *
            """,
        ),
        _case(
            "Weeks as text: week, quarter of 13 weeks, year, all",
            "For sources that know the week only. A 53rd week belongs to the fourth quarter.",
            generalisation.weeks("year_week"),
            'weeks("year_week")',
            """
            year_week text
            2019-W01
            2019-W13
            2019-W14
            2020-W53
            –
            """,
            """
            year_week text | year_week__0 text | year_week__1 text | year_week__2 text | year_week__3 text
            2019-W01       | 2019-W01          | 2019-Q1           | 2019              | *
            2019-W13       | 2019-W13          | 2019-Q1           | 2019              | *
            2019-W14       | 2019-W14          | 2019-Q2           | 2019              | *
            2020-W53       | 2020-W53          | 2020-Q4           | 2020              | *
            –              | –                 | –                 | –                 | *
            """,
        ),
        _case(
            "Ages: years, bands of 5, 10 and 20 years, all",
            "Ages of 90 and more are one open band, as in 45 CFR 164.514(b)(2)(i)(C).",
            generalisation.ages("age"),
            'ages("age")',
            """
            age integer
            0
            17
            89
            90
            104
            –
            """,
            """
            age integer | age__0 text | age__1 text | age__2 text | age__3 text | age__4 text
            0           | 0           | 0-4         | 0-9         | 0-19        | *
            17          | 17          | 15-19       | 10-19       | 0-19        | *
            89          | 89          | 85-89       | 80-89       | 80+         | *
            90          | 90          | 90+         | 90+         | 80+         | *
            104         | 104         | 90+         | 90+         | 80+         | *
            –           | –           | –           | –           | –           | *
            """,
        ),
        _case(
            "Age groups as a list gives them",
            "The list's own open group stays open.",
            generalisation.age_groups("age_group"),
            'age_groups("age_group")',
            """
            age_group text
            5-9
            65-69
            70+
            –
            """,
            """
            age_group text | age_group__0 text | age_group__1 text | age_group__2 text | age_group__3 text | age_group__4 text
            5-9            | 5-9               | 5-9               | 0-9               | 0-19              | *
            65-69          | 65-69             | 65-69             | 60-69             | 60+               | *
            70+            | 70+               | 70+               | 70+               | 60+               | *
            –              | –                 | –                 | –                 | –                 | *
            """,
        ),
        _case(
            "Areas: the area around it, and around that",
            "Townships lie in counties, counties in the country. An area that the table of areas does not know is "
            "missing from level 1 on.",
            generalisation.areas("residence_area_code", read_table(AREAS), names=("township", "county", "country")),
            'areas("residence_area_code", area, names=("township", "county", "country"))',
            """
            residence_area_code text
            TW-6703500
            TW-6703600
            TW-64
            TW-99
            –
            """,
            """
            residence_area_code text | residence_area_code__0 text | residence_area_code__1 text | residence_area_code__2 text | residence_area_code__3 text
            TW-6703500               | TW-6703500                  | TW-67                       | TW                          | *
            TW-6703600               | TW-6703600                  | TW-67                       | TW                          | *
            TW-64                    | TW-64                       | TW-64                       | TW                          | *
            TW-99                    | TW-99                       | –                           | –                           | *
            –                        | –                           | –                           | –                           | *
            """,
        ),
        _case(
            "As it is, or not at all",
            "For sex and the like.",
            generalisation.as_given("sex"),
            'as_given("sex")',
            """
            sex text
            female
            –
            """,
            """
            sex text | sex__0 text | sex__1 text
            female   | female      | *
            –        | –           | *
            """,
        ),
        Case(
            "A record-level release is as fine as k allows",
            "With k = 3 and at most a fifth of the records left out, days become months, sex stays, and the one man of "
            "October is left out. Columns that nobody named are not in the release.",
            {
                "case": """
                    true_from date | sex text | age integer
                    2015-08-05     | female   | 31
                    2015-08-12     | female   | 29
                    2015-08-19     | female   | 54
                    2015-09-02     | female   | 31
                    2015-09-10     | female   | 42
                    2015-09-24     | female   | 18
                    2015-10-06     | male     | 77
                    2015-09-03     | male     | 25
                    2015-09-09     | male     | 61
                    2015-09-15     | male     | 50
                """
            },
            _release,
            'deidentify(case, [dates("true_from"), as_given("sex")], k=3, suppression_limit=0.2)',
            """
            true_from text | sex text
            2015-08        | female
            2015-08        | female
            2015-08        | female
            2015-09        | female
            2015-09        | female
            2015-09        | female
            2015-09        | male
            2015-09        | male
            2015-09        | male
            """,
        ),
    ),
)
