"""CertLogic over a table."""

from __future__ import annotations

import json
from typing import Any

from hutong.passes.certlogic.to_ibis import compile_to_ibis

from .specification import Case, Chapter, Inputs

TYPES = {"text": "text", "integer": "integer", "boolean": "boolean", "date": "date"}


def _case(title: str, words: str, rule: Any, person: str, out: str) -> Case:
    header = [named.strip().rsplit(" ", 1) for named in person.strip().splitlines()[0].split("|")]
    columns = {name: (name, TYPES[kind]) for name, kind in header}

    def expression(inputs: Inputs) -> Any:
        table = inputs.person
        return table.select(*table.columns, value=compile_to_ibis(rule, table, columns))

    return Case(title, words, {"person": person}, expression, json.dumps(rule), out)


CHAPTER = Chapter(
    "certlogic",
    "CertLogic over a population",
    "A rule gives each row of a table what it gives one person; where the data of one person would be an error, the "
    "value is missing.",
    (
        _case(
            "A number in a range",
            "Comparing a missing number is an error for one person, and a missing value here.",
            {"<=": [0, {"var": "days"}, 7]},
            """
            days integer
            0
            7
            8
            –
            """,
            """
            days integer | value boolean
            0            | true
            7            | true
            8            | false
            –            | –
            """,
        ),
        _case(
            "Missing is not an error where nothing is compared",
            "A guard makes a rule say what is meant: not known is not recent. As in CertLogic, 0 is false as well.",
            {"if": [{"var": "days"}, {"<=": [{"var": "days"}, 7]}, False]},
            """
            days integer
            1
            9
            0
            –
            """,
            """
            days integer | value boolean
            1            | true
            9            | false
            0            | false
            –            | false
            """,
        ),
        _case(
            "One of several codes",
            "A missing code is none of them.",
            {"in": [{"var": "risk"}, ["medium", "high"]]},
            """
            risk text
            high
            low
            –
            """,
            """
            risk text | value boolean
            high      | true
            low       | false
            –         | false
            """,
        ),
        _case(
            "Months are added as the calendar has them",
            "A day that the month does not have rolls over, as in the rules of the EU Digital COVID Certificate.",
            {"not-after": [{"plusTime": [{"var": "given"}, 6, "month"]}, {"plusTime": ["2016-03-01", 0, "day"]}]},
            """
            given date
            2015-08-31
            2015-09-01
            2015-09-02
            –
            """,
            """
            given date | value boolean
            2015-08-31 | false
            2015-09-01 | true
            2015-09-02 | false
            –          | –
            """,
        ),
        _case(
            "And, not, equal",
            "Equality knows no coercion.",
            {"and": [{"!": [{"var": "symptoms"}]}, {"===": [{"var": "risk"}, "low"]}]},
            """
            symptoms boolean | risk text
            false            | low
            –                | low
            true             | low
            false            | –
            """,
            """
            symptoms boolean | risk text | value boolean
            false            | low       | true
            –                | low       | true
            true             | low       | false
            false            | –         | false
            """,
        ),
    ),
)
