"""The facts about a population, and the levels that a rulebook gives."""

# ruff: noqa: E501 - a written table is read by its columns, and breaking its lines would hide them

from __future__ import annotations

from datetime import date
from typing import Any

from hutong.passes.documents import shipped_document
from hutong.passes.level.fact import Evidences
from hutong.passes.level.health import FEVER_FROM_CELSIUS
from hutong.passes.level.population import level_expression
from hutong.passes.level.status import facts_of_population
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
PEOPLE = """
    pseudonym text | residence_area_code text | known_at datetime    | receipt_id text | row_number integer
    anna           | TW-6703700               | 2015-09-01T00:00:00Z | r1              | 1
    ben            | TW-6703700               | 2015-09-01T00:00:00Z | r1              | 2
    chen           | TW-6703700               | 2015-09-01T00:00:00Z | r1              | 3
    deng           | TW-6703700               | 2015-09-01T00:00:00Z | r1              | 4
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
    person text | residence_risk text | stay_risk_max_14d text | declared_risk_area_stay boolean | days_since_positive_test integer | days_since_case integer | fever boolean | symptoms boolean | contact_of_case boolean | series_complete boolean | days_since_last_dose integer
    quiet home  | low                 | –                      | –                               | –                                | –                       | –             | –                | –                       | –                       | –
    no home     | –                   | –                      | –                               | –                                | –                       | false         | false            | –                       | –                       | –
    tested      | –                   | –                      | –                               | 0                                | –                       | –             | –                | –                       | –                       | –
    a week on   | low                 | –                      | –                               | 7                                | –                       | –             | –                | –                       | –                       | –
    the day on  | low                 | –                      | –                               | 8                                | –                       | –             | –                | –                       | –                       | –
    over        | low                 | –                      | –                               | 15                               | –                       | –             | –                | –                       | –                       | –
    ill today   | low                 | –                      | –                               | –                                | 0                       | –             | –                | –                       | –                       | –
    feverish    | low                 | high                   | –                               | –                                | –                       | true          | true             | –                       | –                       | –
    a cough     | medium              | –                      | –                               | –                                | –                       | false         | true             | –                       | –                       | –
    both        | high                | high                   | –                               | –                                | –                       | –             | –                | –                       | –                       | –
    declared    | low                 | –                      | true                            | –                                | –                       | –             | –                | –                       | –                       | –
    contact     | low                 | –                      | –                               | –                                | –                       | –             | –                | true                    | false                   | 40
    excused     | low                 | –                      | –                               | –                                | –                       | –             | –                | true                    | true                    | 40
    misread     | purple              | –                      | –                               | –                                | –                       | –             | –                | –                       | –                       | –
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
            "A stay that was declared again with the same arrival",
            "The newest known statement stands, whether or not the boundary lets the kind of source be collected; "
            "what others recorded stays beside it.",
            {
                "person": PEOPLE,
                "stay": """
                    pseudonym text | area_code text | arrived datetime     | left datetime        | source_id text | source_kind text | known_at datetime    | receipt_id text
                    anna           | TW-6703500     | 2015-09-10T08:00:00Z | 2015-09-10T10:00:00Z | self-report    | –                | 2015-09-11T08:00:00Z | a1
                    anna           | TW-6703700     | 2015-09-10T08:00:00Z | 2015-09-10T10:00:00Z | correction     | –                | 2015-09-12T08:00:00Z | a2
                    ben            | TW-6703500     | 2015-09-10T08:00:00Z | 2015-09-10T10:00:00Z | gate-form      | declared         | 2015-09-11T08:00:00Z | b1
                    ben            | TW-6703700     | 2015-09-10T08:00:00Z | 2015-09-10T10:00:00Z | correction     | declared         | 2015-09-12T08:00:00Z | b2
                    chen           | TW-6703500     | 2015-09-10T08:00:00Z | 2015-09-10T10:00:00Z | register       | place-register   | 2015-09-11T08:00:00Z | c1
                    chen           | TW-6703700     | 2015-09-10T08:00:00Z | 2015-09-10T10:00:00Z | correction     | –                | 2015-09-12T08:00:00Z | c2
                """,
            },
            ("stay_risk_max_14d",),
            """
            pseudonym text | stay_risk_max_14d text
            anna           | low
            ben            | low
            chen           | high
            deng           | –
            """,
        ),
        _fact(
            "Days since the last positive and the last negative test",
            "Neither says anything about the other, and tests of the future say nothing.",
            {
                "test": """
                    pseudonym text | sampled_at datetime  | result text
                    anna           | 2015-09-01T10:00:00Z | positive
                    anna           | 2015-09-10T10:00:00Z | positive
                    anna           | 2015-09-12T10:00:00Z | negative
                    anna           | 2015-09-15T10:00:00Z | positive
                """
            },
            ("days_since_positive_test", "days_since_positive_test_on", "days_since_negative_test"),
            """
            pseudonym text | days_since_positive_test integer | days_since_positive_test_on date | days_since_negative_test integer
            anna           | 4                                | 2015-09-10                       | 2
            """,
        ),
        _fact(
            "Days since somebody fell ill, by their own case record",
            "From onset, else confirmation, else notification, else the record's first day. Suspected and discarded cases "
            "are none; of the records of one first day the newest known stands. Recovery ends all that had begun by then. A "
            "record that is discarded takes back what was known before it of the same disease, whatever its dates.",
            {
                "person": PEOPLE,
                "case": """
                    pseudonym text | disease text | classification text | onset_date date | confirmation_date date | notification_date date | true_from date | outcome text | outcome_date date | known_at datetime    | receipt_id text | row_number integer
                    anna           | dengue       | confirmed           | 2015-09-04      | 2015-09-07             | 2015-09-08             | 2015-09-08     | –            | –                 | 2015-09-08T00:00:00Z | r1              | 1
                    anna           | dengue       | suspected           | 2015-09-13      | –                      | –                      | –              | –            | –                 | 2015-09-13T00:00:00Z | r2              | 1
                    ben            | dengue       | confirmed           | 2015-08-01      | –                      | –                      | –              | recovered    | 2015-08-20        | 2015-08-20T00:00:00Z | r0              | 1
                    ben            | dengue       | probable            | –               | –                      | –                      | 2015-09-10     | –            | –                 | 2015-09-10T00:00:00Z | r1              | 2
                    chen           | dengue       | confirmed           | 2015-09-01      | –                      | –                      | –              | –            | –                 | 2015-09-03T00:00:00Z | r1              | 3
                    chen           | dengue       | confirmed           | 2015-09-01      | –                      | –                      | –              | recovered    | 2015-09-12        | 2015-09-12T00:00:00Z | r2              | 2
                    chen           | dengue       | confirmed           | –               | 2015-09-04             | –                      | –              | –            | –                 | 2015-09-04T00:00:00Z | r1              | 6
                    deng           | dengue       | confirmed           | 2015-09-09      | –                      | –                      | –              | –            | –                 | 2015-09-10T00:00:00Z | r1              | 4
                    deng           | dengue       | discarded           | –               | –                      | 2015-09-12             | –              | –            | –                 | 2015-09-12T00:00:00Z | r2              | 3
                    –              | dengue       | confirmed           | 2015-09-09      | –                      | –                      | –              | –            | –                 | 2015-09-10T00:00:00Z | r1              | 5
                """,
            },
            ("days_since_case", "days_since_case_on"),
            """
            pseudonym text | days_since_case integer | days_since_case_on date
            anna           | 10                      | 2015-09-04
            ben            | 4                       | 2015-09-10
            chen           | –                       | –
            deng           | –                       | –
            """,
        ),
        _fact(
            "Symptoms, and fever among them: what was last stated",
            "Every code but “none” is a sign of illness, and “none” ends all before it. A body temperature speaks of fever, "
            f"which begins at {FEVER_FROM_CELSIUS} °C. Of one moment what tells of illness counts. Who was not asked is not "
            "known to be well.",
            {
                "person": PEOPLE,
                "symptom": """
                    pseudonym text | symptom text | present boolean | ended date | body_temperature decimal | risk_area_stay boolean | stated_at datetime
                    anna           | fever        | true            | –          | –                        | –                      | 2015-09-10T08:00:00Z
                    anna           | none         | true            | –          | 36.8                     | –                      | 2015-09-12T08:00:00Z
                    ben            | none         | true            | –          | 37.3                     | –                      | 2015-09-12T08:00:00Z
                    ben            | rash         | true            | –          | –                        | –                      | 2015-09-01T08:00:00Z
                    chen           | rash         | true            | –          | –                        | –                      | 2015-09-11T08:00:00Z
                    chen           | fever        | false           | –          | 37.2                     | –                      | 2015-09-12T08:00:00Z
                    deng           | cough        | false           | –          | –                        | –                      | 2015-09-12T08:00:00Z
                    deng           | headache     | true            | 2015-09-11 | –                        | –                      | 2015-09-12T08:00:00Z
                    deng           | fever        | true            | –          | –                        | –                      | 2015-08-31T08:00:00Z
                """,
            },
            ("symptoms", "symptoms_on", "fever", "fever_on"),
            """
            pseudonym text | symptoms boolean | symptoms_on date | fever boolean | fever_on date
            anna           | false            | 2015-09-12       | false         | 2015-09-12
            ben            | true             | 2015-09-12       | true          | 2015-09-12
            chen           | true             | 2015-09-11       | false         | 2015-09-12
            deng           | –                | –                | –             | –
            """,
        ),
        _fact(
            "What somebody declared of a stay in an area of high risk",
            "The newest statement of the window stands, and what was not spoken of is not known.",
            {
                "person": PEOPLE,
                "symptom": """
                    pseudonym text | symptom text | present boolean | ended date | body_temperature decimal | risk_area_stay boolean | stated_at datetime
                    anna           | none         | true            | –          | –                        | true                   | 2015-09-10T08:00:00Z
                    anna           | none         | true            | –          | –                        | –                      | 2015-09-12T08:00:00Z
                    ben            | none         | true            | –          | –                        | true                   | 2015-09-10T08:00:00Z
                    ben            | cough        | true            | –          | –                        | false                  | 2015-09-11T08:00:00Z
                    chen           | none         | true            | –          | –                        | true                   | 2015-08-31T08:00:00Z
                """,
            },
            ("declared_risk_area_stay", "declared_risk_area_stay_on"),
            """
            pseudonym text | declared_risk_area_stay boolean | declared_risk_area_stay_on date
            anna           | true                            | 2015-09-10
            ben            | false                           | 2015-09-11
            chen           | –                               | –
            deng           | –                               | –
            """,
        ),
        _fact(
            "Immunisations: the highest dose, the newest, and whether it completed the series",
            "Earlier doses may never have been recorded. Without the length of the series it is not known to be complete.",
            {
                "person": PEOPLE,
                "immunization": """
                    pseudonym text | dose_number integer | series_doses integer | vaccination_date date | known_at datetime    | receipt_id text | row_number integer
                    anna           | 1                   | 2                    | 2015-05-01            | 2015-05-01T00:00:00Z | r1              | 1
                    anna           | 2                   | 2                    | 2015-08-15            | 2015-08-15T00:00:00Z | r2              | 1
                    ben            | 1                   | 2                    | 2015-09-14            | 2015-09-14T00:00:00Z | r3              | 1
                    chen           | 2                   | –                    | 2015-09-04            | 2015-09-04T00:00:00Z | r3              | 2
                    deng           | 1                   | 1                    | 2015-09-15            | 2015-09-14T00:00:00Z | r3              | 3
                """,
            },
            ("doses", "series_complete", "days_since_last_dose", "days_since_last_dose_on"),
            """
            pseudonym text | doses integer | series_complete boolean | days_since_last_dose integer | days_since_last_dose_on date
            anna           | 2             | true                    | 30                           | 2015-08-15
            ben            | 1             | false                   | 0                            | 2015-09-14
            chen           | 2             | –                       | 10                           | 2015-09-04
            deng           | –             | –                       | –                            | –
            """,
        ),
        _fact(
            "What nobody was asked is not known",
            "Without any table of tests, cases, symptoms, contacts or immunisations these facts are missing, not false.",
            {},
            ("days_since_positive_test", "days_since_case", "symptoms", "contact_of_case", "series_complete"),
            """
            pseudonym text | days_since_positive_test integer | days_since_case integer | symptoms boolean | contact_of_case boolean | series_complete boolean
            anna           | –                                | –                       | –                | –                       | –
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
            ill today   | high       | case-0-7                 | false
            feverish    | high       | fever-high-area          | false
            a cough     | medium     | symptoms-risk-area       | false
            both        | medium     | residence-high stay-high | false
            declared    | medium     | declared-stay            | false
            contact     | medium     | contact                  | false
            excused     | low        | ""                       | false
            misread     | unknown    | ""                       | true
            """,
        ),
    ),
)
