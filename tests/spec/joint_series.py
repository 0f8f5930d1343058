"""The joint weekly series of several regions."""

# ruff: noqa: E501 - a written table is read by its columns, and breaking its lines would hide them

from __future__ import annotations

from typing import Any

from hutong.opening.catalogue.catalogue import Distribution
from hutong.sharing.joint_series import Candidate, join

from .specification import Case, Chapter, Inputs


def _candidate(party: str) -> Candidate:
    file = Distribution(format="parquet", media_type="application/vnd.apache.parquet", access_url="http://127.0.0.1/")
    return Candidate(party, f"{party}-weekly", "1", file)


def _join(inputs: Inputs) -> Any:
    tables = [(_candidate(party), inputs.tables[party]) for party in sorted(inputs.tables)]
    return join(tables, indicator="dengue-cases")


SHOWN = 'join([(pe-weekly, pe), (tw-weekly, tw)], indicator="dengue-cases")'
TW = """
    area_code text | area_name text | level text | period_start date | indicator text | value integer | status text
    TW             | Taiwan         | country    | 2015-09-06        | dengue-cases   | 52            | published
    TW-67          | Tainan City    | region1    | 2015-09-06        | dengue-cases   | –             | withheld
    TW-6703500     | Annan Dist.    | region2    | 2015-09-06        | dengue-cases   | 12            | published
"""
PE = """
    area_code text | area_name text | level text | period_start date | indicator text | value integer | status text
    PE             | Peru           | country    | 2019-01-06        | dengue-cases   | 0             | published
    PE             | Peru           | country    | 2019-01-06        | deaths         | 1             | published
"""

CHAPTER = Chapter(
    "joint-series",
    "The joint series",
    "A hub puts the open weekly counts of several parties into one table under one definition: the country and its "
    "first level, one indicator.",
    (
        Case(
            "Regions stand under each other, each row with its party",
            "Finer levels and other indicators are left out. A withheld figure stays withheld: it has no number here "
            "either, and zero is a number.",
            {"tw": TW, "pe": PE},
            _join,
            SHOWN,
            """
            area_code text | area_name text | level text | period_start date | value integer | status text | dataset text | party text
            PE             | Peru           | country    | 2019-01-06        | 0             | published   | pe-weekly    | pe
            TW             | Taiwan         | country    | 2015-09-06        | 52            | published   | tw-weekly    | tw
            TW-67          | Tainan City    | region1    | 2015-09-06        | –             | withheld    | tw-weekly    | tw
            """,
            is_ordered=True,
        ),
        Case(
            "A withheld figure that carries a number loses it",
            "A party that withholds a figure and states it all the same must not have it repeated.",
            {
                "tw": """
                    area_code text | area_name text | level text | period_start date | indicator text | value integer | status text
                    TW             | Taiwan         | country    | 2015-09-06        | dengue-cases   | 3             | withheld
                """
            },
            _join,
            'join([(tw-weekly, tw)], indicator="dengue-cases")',
            """
            area_code text | area_name text | level text | period_start date | value integer | status text | dataset text | party text
            TW             | Taiwan         | country    | 2015-09-06        | –             | withheld    | tw-weekly    | tw
            """,
        ),
    ),
)
