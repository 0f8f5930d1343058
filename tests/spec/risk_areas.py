"""Risk areas."""

from __future__ import annotations

from datetime import date
from typing import Any

from hutong.insight.risk_area import risk_areas, shipped_rule

from .specification import Case, Chapter, Inputs

AS_OF = date(2015, 9, 14)
AREAS = """
    area_code text | level text
    TW             | country
    TW-67          | region1
    TW-6703500     | region2
    TW-6703600     | region2
    TW-6703700     | region2
"""
OUT = "area_code text | cases_window integer | level text | severity integer"


def _assess(inputs: Inputs) -> Any:
    assessed = risk_areas(inputs.case, inputs.area, shipped_rule(), AS_OF)
    return assessed.select("area_code", "cases_window", "level", "severity")


def _case(title: str, words: str, case: str, out: str) -> Case:
    shown = "risk_areas(case, area, dengue-risk-area, as_of=2015-09-14)"
    return Case(title, words, {"case": case, "area": AREAS}, _assess, shown, f"{OUT}\n{out.strip()}")


HEADER = (
    "residence_area_code text | true_from date | disease text | classification text | imported boolean "
    "| case_count integer\n"
)

CHAPTER = Chapter(
    "risk-areas",
    "Risk areas",
    "The shipped rule: an area's level is the number of its residents with confirmed dengue, not imported, whose onset "
    "lies in the 14 days up to and including the day of assessment. From 5 cases on it is medium, from 50 on high.",
    (
        _case(
            "Every listed area of the rule's level has a level",
            "No case and four are low; five are medium, fifty are high. Counties and the country are not assessed.",
            HEADER
            + """
            TW-6703500 | 2015-09-10 | dengue | confirmed | false | 50
            TW-6703600 | 2015-09-10 | dengue | confirmed | false | 4
            TW-6703600 | 2015-09-11 | dengue | confirmed | –     | 1
            TW-6703700 | 2015-09-11 | dengue | confirmed | false | 4
            """.strip(),
            """
            TW-6703500 | 50 | high   | 2
            TW-6703600 | 5  | medium | 1
            TW-6703700 | 4  | low    | 0
            """,
        ),
        _case(
            "The window has its first and its last day",
            "1 September is the first of the 14 days up to 14 September; 31 August and 15 September are outside.",
            HEADER
            + """
            TW-6703500 | 2015-08-31 | dengue | confirmed | false | 1
            TW-6703500 | 2015-09-01 | dengue | confirmed | false | 1
            TW-6703500 | 2015-09-14 | dengue | confirmed | false | 4
            TW-6703500 | 2015-09-15 | dengue | confirmed | false | 1
            """.strip(),
            """
            TW-6703500 | 5 | medium | 1
            TW-6703600 | 0 | low    | 0
            TW-6703700 | 0 | low    | 0
            """,
        ),
        _case(
            "Only what the rule names is counted",
            "Imported, suspected and other cases are not, nor are cases without a residence.",
            HEADER
            + """
            TW-6703500 | 2015-09-10 | dengue  | confirmed | true  | 60
            TW-6703500 | 2015-09-10 | dengue  | suspected | false | 60
            TW-6703500 | 2015-09-10 | measles | confirmed | false | 60
            –          | 2015-09-10 | dengue  | confirmed | false | 60
            """.strip(),
            """
            TW-6703500 | 0 | low | 0
            TW-6703600 | 0 | low | 0
            TW-6703700 | 0 | low | 0
            """,
        ),
    ),
)
