"""The facts about a population, and the levels that a rulebook gives."""

# ruff: noqa: E501 - a written table is read by its columns, and breaking its lines would hide them

from __future__ import annotations

from datetime import date
from typing import Any

from hutong.passes.documents import shipped_document
from hutong.passes.level.population import level_expression
from hutong.passes.level.status import Evidences, facts_of_population
from hutong.passes.rulebook.rulebook import parse_rulebook

from .specification import Case, Chapter, Inputs

AS_OF = date(2015, 9, 14)
RISK = """
    area_code text | level text | severity integer
    TW-6703500     | high       | 2
    TW-6703600     | medium     | 1
    TW-6703700     | low        | 0
"""
PERSON = """
    pseudonym text | residence_area_code text | known_at datetime    | receipt_id text | row_number integer
    anna           | TW-6703700               | 2015-09-01T00:00:00Z | r1              | 1
"""


def _facts(*columns: str) -> Any:
    def expression(inputs: Inputs) -> Any:
        given: dict[str, Any] = dict(inputs.tables)
        return facts_of_population(Evidences(**given), AS_OF).select("pseudonym", *columns)

    return expression


def _fact(title: str, words: str, tables: dict[str, str], columns: tuple[str, ...], out: str) -> Case:
    named = ", ".join(["person", "risk_area", *tables])
    given = {"person": PERSON, "risk_area": RISK, **tables}
    shown = f"facts_of_population({named}, as_of=2015-09-14)[{', '.join(columns)}]"
    return Case(title, words, given, _facts(*columns), shown, out)


def _levels(book: str) -> Any:
    def expression(inputs: Inputs) -> Any:
        rulebook = parse_rulebook(shipped_document(book))
        return level_expression(rulebook, inputs.facts).select("person", "level", "rule_ids", "failed")

    return expression


FACTS = """
    person text | residence_risk text | stay_risk_max_14d text | days_since_positive_test integer | symptoms boolean | contact_of_case boolean
    quiet home  | low                 | –                      | –                                | –                | –
    no home     | –                   | –                      | –                                | false            | –
    tested      | –                   | –                      | 0                                | –                | –
    a week on   | low                 | –                      | 7                                | –                | –
    the day on  | low                 | –                      | 8                                | –                | –
    over        | low                 | –                      | 15                               | –                | –
    feverish    | low                 | high                   | –                                | true             | –
    both        | high                | high                   | –                                | –                | –
    misread     | purple              | –                      | –                                | –                | –
"""

CHAPTER = Chapter(
    "levels",
    "Facts about people, and their levels",
    "The facts of every person as of a day come from the lake's tables; a rulebook gives each a level, with the ids of "
    "the rules that gave it.",
    (
        _fact(
            "Where somebody lives: the newest known fact stands",
            "A correction is a new fact; nothing is overwritten.",
            {
                "person": """
                    pseudonym text | residence_area_code text | known_at datetime    | receipt_id text | row_number integer
                    anna           | TW-6703700               | 2015-09-01T00:00:00Z | r1              | 1
                    anna           | TW-6703500               | 2015-09-02T00:00:00Z | r2              | 1
                    ben            | TW-9999999               | 2015-09-01T00:00:00Z | r1              | 2
                    chen           | –                        | 2015-09-01T00:00:00Z | r1              | 3
                """
            },
            ("residence_risk", "residence_risk_on"),
            """
            pseudonym text | residence_risk text | residence_risk_on date
            anna           | high                | 2015-09-14
            ben            | –                   | –
            chen           | –                   | –
            """,
        ),
        _fact(
            "Where somebody stayed: the most severe area of 14 days, and the last day there",
            "A stay that has not ended lasts until the day of assessment; one that began later does not count.",
            {
                "stay": """
                    pseudonym text | area_code text | arrived datetime     | left datetime
                    anna           | TW-6703600     | 2015-09-02T08:00:00Z | 2015-09-12T09:00:00Z
                    anna           | TW-6703500     | 2015-08-20T08:00:00Z | 2015-09-01T09:00:00Z
                    anna           | TW-6703500     | 2015-09-15T08:00:00Z | –
                    anna           | TW-6703700     | 2015-09-13T08:00:00Z | –
                """
            },
            ("stay_risk_max_14d", "stay_risk_max_14d_on"),
            """
            pseudonym text | stay_risk_max_14d text | stay_risk_max_14d_on date
            anna           | high                   | 2015-09-01
            """,
        ),
        _fact(
            "Days since the last positive test",
            "Negative tests and tests of the future say nothing about it.",
            {
                "test": """
                    pseudonym text | sampled_at datetime  | result text
                    anna           | 2015-09-01T10:00:00Z | positive
                    anna           | 2015-09-10T10:00:00Z | positive
                    anna           | 2015-09-12T10:00:00Z | negative
                    anna           | 2015-09-15T10:00:00Z | positive
                """
            },
            ("days_since_positive_test", "days_since_positive_test_on"),
            """
            pseudonym text | days_since_positive_test integer | days_since_positive_test_on date
            anna           | 4                                | 2015-09-10
            """,
        ),
        _fact(
            "What nobody was asked is not known",
            "Without any table of tests, symptoms or contacts these facts are missing, not false.",
            {},
            ("days_since_positive_test", "symptoms", "contact_of_case"),
            """
            pseudonym text | days_since_positive_test integer | symptoms boolean | contact_of_case boolean
            anna           | –                                | –                | –
            """,
        ),
        Case(
            "Three levels: the most severe rule that fires gives the level",
            "Without a known home nobody is low; a value that the rulebook does not declare is unknown, never low.",
            {"facts": FACTS},
            _levels("dengue-three-levels"),
            "level_expression(dengue-3, facts)",
            """
            person text | level text | rule_ids text            | failed boolean
            quiet home  | low        | ""                       | false
            no home     | unknown    | ""                       | false
            tested      | high       | test-0-7                 | false
            a week on   | high       | test-0-7                 | false
            the day on  | medium     | test-8-14                | false
            over        | low        | ""                       | false
            feverish    | high       | fever-high-area          | false
            both        | medium     | residence-high stay-high | false
            misread     | unknown    | ""                       | true
            """,
        ),
    ),
)
