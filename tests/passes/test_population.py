"""One rule, two speeds: what it gives one person is what it gives each row of a table, errors and nulls included."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import date
from typing import Any

import duckdb
import ibis
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from hutong.errors import BadInput, LimitExceeded
from hutong.passes.certlogic.datetimes import TIME_UNITS
from hutong.passes.certlogic.evaluate import compile_rule, evaluate
from hutong.passes.certlogic.to_ibis import compile_expression, compile_to_ibis
from hutong.passes.certlogic.validate import COMPARISONS, OPERATIONS, TIME_COMPARISONS, data_accesses
from hutong.passes.certlogic.values import truth
from hutong.passes.documents import shipped_document
from hutong.passes.level.population import SEPARATOR, level_expression, require_compilable
from hutong.passes.rulebook.evidence import Evidence
from hutong.passes.rulebook.rulebook import Rule, Rulebook, decide_level, parse_rulebook
from tests.conftest import NewNode

CODES = ("low", "medium", "high")
TYPES = {
    **{"a": "boolean", "b": "boolean"},
    **{"i": "integer", "j": "integer"},
    **{"c": "text", "d": "text"},
    **{"day": "date", "night": "date"},
}
COLUMNS = {name: (f"col_{name}", kind) for name, kind in TYPES.items()}
SCHEMA = {"boolean": "boolean", "integer": "int64", "text": "string", "date": "date"}
TABLE = ibis.table({f"col_{name}": SCHEMA[kind] for name, kind in TYPES.items()}, name="persons")
BOOKS = [parse_rulebook(shipped_document(name)) for name in ("dengue-three-levels", "dengue-four-levels")]

DAYS = [date(2015, 9, 1), date(2016, 2, 29), date(1964, 1, 31), date(1, 3, 1), date(9998, 12, 31)]
VALUES: dict[str, Any] = {
    "boolean": st.booleans(),
    "integer": st.sampled_from([0, 1, -1, 7, 14, 2**53 - 1, -(2**53) + 1]) | st.integers(-50, 50),
    "text": st.sampled_from([*CODES, "", "2015-09-01"]),
    "date": st.sampled_from(DAYS) | st.dates(),
}
PERSONS = st.lists(
    st.fixed_dictionaries({name: st.none() | VALUES[kind] for name, kind in TYPES.items()}), min_size=1, max_size=12
)


def _var(kind: str) -> Any:
    names = [name for name, its_kind in TYPES.items() if its_kind == kind]
    return st.sampled_from(names).map(lambda name: {"var": name})


def _operation(operator: str, *operands: Any) -> Any:
    return st.tuples(*operands).map(lambda chosen: {operator: list(chosen)})


LITERALS = {
    "boolean": st.booleans(),
    "integer": st.sampled_from([0, 1, 7, 14, -3, 2**53 - 1]),
    "text": st.sampled_from([*CODES, "", "2015-09-01"]),
}


def _expressions(kind: str, depth: int) -> Any:
    """Expressions of one kind; every operand is of the kind that its operation wants."""
    leaf = _var(kind) | LITERALS[kind]
    if kind == "text":
        leaf = leaf | _var("date")
    if depth == 0:
        return leaf
    inner = {one: _expressions(one, depth - 1) for one in LITERALS}
    condition = inner["boolean"] | inner["integer"] | inner["text"]
    same = _operation("if", condition, inner[kind], inner[kind]) | _operation("and", inner[kind], inner[kind])
    if kind == "integer":
        return leaf | same | _operation("+", inner["integer"], inner["integer"])
    if kind == "text":
        return leaf | same
    return leaf | same | _conditions(inner, condition)


def _conditions(inner: dict[str, Any], condition: Any) -> Any:
    number = inner["integer"]
    unit, amount = st.sampled_from(["year", "month", "day", "hour"]), st.integers(-40, 40)
    moment = _operation("plusTime", _var("date") | st.just("2015-09-01T10:00:00+02:00"), amount, unit)
    moment = moment | _operation("dccDateOfBirth", _var("date") | st.just("1964-02"))
    order, time_order = st.sampled_from(COMPARISONS), st.sampled_from(TIME_COMPARISONS)
    return (
        order.flatmap(lambda one: _operation(one, number, number))
        | order.flatmap(lambda one: _operation(one, number, number, number))
        | time_order.flatmap(lambda one: _operation(one, moment, moment))
        | time_order.flatmap(lambda one: _operation(one, moment, moment, moment))
        | _operation("===", condition, condition)
        | _operation("===", moment, moment)
        | _operation("in", condition, st.lists(condition, max_size=4))
        | _operation("!", condition)
        | _operation("!", _operation("and", condition, condition, condition))
        | _operation("!", _operation("if", condition, condition, condition))
    )


def _rooted() -> dict[str, Any]:
    """Expressions with each operation that has a meaning over columns, at the root or, for date-times, below it."""
    inner = {one: _var(one) | LITERALS[one] for one in LITERALS}
    condition, number, text = inner["boolean"] | inner["integer"] | inner["text"], inner["integer"], inner["text"]
    added = _operation("plusTime", _var("date"), st.integers(-40, 40), st.sampled_from(TIME_UNITS))
    born = _operation("dccDateOfBirth", _var("date"))
    orders = {one: _operation(one, number, number) | _operation(one, number, number, number) for one in COMPARISONS}
    times = {one: _operation(one, added, born) | _operation(one, born, added, added) for one in TIME_COMPARISONS}
    return {
        "var": condition,
        "if": _operation("if", condition, text, text) | _operation("if", condition, number, number),
        "and": _operation("and", number, number, number) | _operation("and", text, text),
        "!": _operation("!", condition),
        "===": _operation("===", condition, condition) | _operation("===", added, added),
        "in": _operation("in", condition, st.lists(condition, max_size=4)),
        "+": _operation("+", number, number),
        "plusTime": _operation("not-before", added, added),
        "dccDateOfBirth": _operation("===", born, born),
        **orders,
        **times,
    }


ANY = _expressions("boolean", 3) | _expressions("integer", 2) | _expressions("text", 2)
MODEST = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


ARROW = {"boolean": pa.bool_(), "integer": pa.int64(), "text": pa.string(), "code": pa.string(), "date": pa.date32()}
DUCKDB = duckdb.connect()


def _run(persons: list[dict[str, Any]], types: dict[str, str], query: Any, prefix: str = "") -> list[tuple[Any, ...]]:
    """The rows that a query over the table "persons" gives on a real DuckDB, in the order of the persons."""
    columns = {
        prefix + name: pa.array([person[name] for person in persons], ARROW[kind]) for name, kind in types.items()
    }
    DUCKDB.register("persons", pa.table(columns))
    return DUCKDB.execute(ibis.to_sql(query, dialect="duckdb")).fetchall()


def _data(person: dict[str, Any]) -> dict[str, Any]:
    """The same person as JSON: dates are texts."""
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in person.items()}


NOBODY: dict[str, Any] = dict.fromkeys(TYPES)
INSIDE_AN_EQUALITY = {"in": [{"var": "b"}, [{"in": [{"var": "b"}, [{"var": "b"}]]}]]}


@MODEST
@given(ANY, PERSONS)
@example(INSIDE_AN_EQUALITY, [NOBODY])
def test_a_compiled_expression_gives_what_evaluate_gives(expression: Any, persons: list[dict[str, Any]]) -> None:
    compiled = compile_expression(expression, TABLE, COLUMNS)
    value = compile_to_ibis(expression, TABLE, COLUMNS)
    fails = ibis.literal(False) if compiled.fails is None else compiled.fails
    query = TABLE.select(value=value, truth=compiled.truth, fails=fails)
    for person, (got, holds, failed) in zip(persons, _run(persons, TYPES, query, "col_"), strict=True):
        try:
            expected = evaluate(expression, _data(person))
        except BadInput:
            assert failed is True
            assert got is None
            continue
        assert failed is False
        assert (type(got), got) == (type(expected), expected)
        assert holds is truth(expected)


def _rule(number: int, level: str, condition: Any) -> Rule:
    run = compile_rule(condition)
    reads = tuple(sorted(data_accesses(condition)))
    return Rule(f"rule-{number}", level, condition, {"en": "x", "zh": "x"}, reads, lambda facts: truth(run(facts)))


def _book(conditions: list[tuple[str, Any]]) -> Rulebook:
    """A rulebook as no publication would allow it: with rules that may fail."""
    kinds = {"text": "code"}
    evidence = tuple(
        Evidence(name, kinds.get(kind, kind), {}, (*CODES, "") if kind == "text" else (), required=name == "c")
        for name, kind in TYPES.items()
    )
    rules = tuple(_rule(number, level, condition) for number, (level, condition) in enumerate(conditions))
    return replace(BOOKS[0], evidence=evidence, rules=rules)


RULES = st.lists(st.tuples(st.sampled_from(CODES), _expressions("boolean", 2)), min_size=1, max_size=8)


def _check(rulebook: Rulebook, persons: list[dict[str, Any]], rows: list[tuple[Any, ...]]) -> int:
    """Compare each row with the decision about the one person; returns how many failed."""
    failures = 0
    for person, (level, rule_ids, failed) in zip(persons, rows, strict=True):
        try:
            decision = decide_level(rulebook, _data(person))
        except BadInput:
            failures += 1
            assert (level, rule_ids, failed) == ("unknown", "", True)
            continue
        assert failed is False
        assert (level, tuple(rule_ids.split(SEPARATOR)) if rule_ids else ()) == (decision.level, decision.rule_ids)
    return failures


@MODEST
@given(RULES, PERSONS)
def test_generated_rulebooks_give_a_population_what_they_give_one_person(
    conditions: list[tuple[str, Any]], persons: list[dict[str, Any]]
) -> None:
    rulebook = _book(conditions)
    result = level_expression(rulebook, TABLE, {name: f"col_{name}" for name in TYPES})
    rows = _run(persons, TYPES, result.select("level", "rule_ids", "failed"), "col_")
    _check(rulebook, persons, rows)


def test_many_rules_of_one_level_are_all_named() -> None:
    above: list[Any] = [{">": [{"var": "i"}, number]} for number in range(5)]
    conditions = [("low", {"var": "a"}), *(("medium", one) for one in (*above, {"var": "a"}, {"var": "b"}))]
    rulebook = _book([(level, {"if": [one, True, False]}) for level, one in conditions])
    mixes = itertools.product((None, True), (None, True), range(-1, 6))
    persons = [{**dict.fromkeys(TYPES), "c": "low", "a": a, "b": b, "i": i} for a, b, i in mixes]
    result = level_expression(rulebook, TABLE, {name: f"col_{name}" for name in TYPES})
    rows = _run(persons, TYPES, result.select("level", "rule_ids", "failed"), "col_")
    assert _check(rulebook, persons, rows) == 0
    assert max(len(row[1].split(SEPARATOR)) for row in rows) == 7


def _generated(strategy: st.SearchStrategy[Any], number: int) -> list[Any]:
    """Examples to be run all at once: a job on Spark takes a second, however little it is for."""
    found: list[Any] = []

    @settings(max_examples=number, deadline=None, database=None, phases=[Phase.generate])
    @given(strategy)
    def collect(one: Any) -> None:
        found.append(one)

    collect()
    return found


def _compare(expression: Any, person: dict[str, Any], got: Any, failed: bool) -> None:
    try:
        expected = evaluate(expression, _data(person))
    except BadInput:
        assert (got, failed) == (None, True), (expression, person)
        return
    assert (type(got), got, failed) == (type(expected), expected, False), (expression, person)


@pytest.mark.spark
def test_spark_gives_what_evaluate_gives(new_node: NewNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Generated expressions with every operation, and rulebooks, over generated persons: few jobs with much in each."""
    monkeypatch.setenv("HUTONG_ENGINE", "spark")
    engine = new_node("tw").engine
    persons = [NOBODY, *itertools.chain.from_iterable(_generated(PERSONS, 8))][:40]
    columns = {f"col_{name}": pa.array([one[name] for one in persons], ARROW[kind]) for name, kind in TYPES.items()}
    table = engine.bind(pa.table({"row": range(len(persons)), **columns}))

    rooted = _rooted()
    assert rooted.keys() == {*OPERATIONS} - {"reduce", "extractFromUVCI"}
    expressions = [INSIDE_AN_EQUALITY, *_generated(ANY, 8)]
    expressions += [one for strategy in rooted.values() for one in _generated(strategy, 2)]
    assert len(expressions) >= 40
    for some in (expressions[start : start + 24] for start in range(0, len(expressions), 24)):
        asked = {}
        for number, expression in enumerate(some):
            compiled = compile_expression(expression, table, COLUMNS)
            asked[f"value_{number}"] = compile_to_ibis(expression, table, COLUMNS)
            asked[f"fails_{number}"] = ibis.literal(False) if compiled.fails is None else compiled.fails
        rows = engine.to_arrow(table.select("row", **asked).order_by("row")).to_pylist()
        for person, row in zip(persons, rows, strict=True):
            for number, expression in enumerate(some):
                _compare(expression, person, row[f"value_{number}"], row[f"fails_{number}"])

    books = [_book(conditions) for conditions in _generated(RULES, 3)]
    results = [
        level_expression(book, table, {name: f"col_{name}" for name in TYPES}).mutate(book=ibis.literal(number))
        for number, book in enumerate(books)
    ]
    wanted = ("book", "row", "level", "rule_ids", "failed")
    decided = engine.to_arrow(ibis.union(*(one.select(*wanted) for one in results)).order_by("book", "row")).to_pylist()
    for number, book in enumerate(books):
        of_book = [(row["level"], row["rule_ids"], row["failed"]) for row in decided if row["book"] == number]
        _check(book, persons, of_book)


@pytest.mark.parametrize("rulebook", BOOKS, ids=lambda book: book.id)
def test_the_shipped_rulebooks_agree_on_every_mix_of_evidence(rulebook: Rulebook) -> None:
    risk = (None, *CODES, "purple")
    nothing = dict.fromkeys(one.name for book in BOOKS for one in book.evidence)
    persons = [
        {**nothing, "residence_risk": home, "stay_risk_max_14d": stay, "days_since_positive_test": days, "fever": ill,
         "contact_of_case": near}
        for home in risk for stay in risk for days in (None, -1, 0, 5, 6, 7, 8, 14, 15)
        for ill in (None, True, False) for near in (None, True, False)
    ]  # fmt: skip
    persons += [
        {**nothing, "residence_risk": home, "days_since_case": days, "symptoms": ill, "fever": hot,
         "declared_risk_area_stay": stayed, "contact_of_case": near, "series_complete": whole,
         "days_since_last_dose": dose}
        for home in (None, "low", "medium") for days in (None, -1, 0, 5, 6, 7, 8, 14, 15) for ill in (None, True)
        for hot in (None, True) for stayed in (False, True) for near in (None, True) for whole in (None, True)
        for dose in (None, 0, 13, 14)
    ]  # fmt: skip
    types = {one.name: one.type for one in rulebook.evidence}
    table = ibis.table({name: SCHEMA.get(kind, "string") for name, kind in types.items()}, name="persons")
    query = level_expression(rulebook, table).select("level", "rule_ids", "failed")
    rows = _run(persons, types, query)
    assert len(rows) == 2025 + 3456
    assert _check(rulebook, persons, rows) == 729  # those with a code that is none


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ({"===": [{"reduce": [[{"var": "residence_risk"}], {"var": "current"}, "x"]}, "x"]}, "reduce"),
        ({"===": [{"extractFromUVCI": [{"var": "residence_risk"}, 0]}, "x"]}, "extractFromUVCI"),
        ({"===": [{"if": [{"var": "symptoms"}, 1, "one"]}, 1]}, "==="),
        ({"in": [1, {"if": [True, [1], []]}]}, "in"),
        ({"===": [[{"var": "symptoms"}], [True]]}, "array"),
    ],
)
def test_what_cannot_run_over_a_population_is_refused_with_rule_and_operation(condition: Any, names: str) -> None:
    document = shipped_document("dengue-three-levels")
    document["rules"].append({"id": "extra", "level": "low", "condition": condition, "text": {"en": "x", "zh": "x"}})
    document["tests"] = [{"name": "one", "facts": {"fever": True}, "level": "medium"}]
    rulebook = parse_rulebook(document)
    with pytest.raises(BadInput, match="extra") as caught:
        require_compilable(rulebook)
    assert f'"{names}"' in caught.value.what


@pytest.mark.parametrize(
    "expression",
    [
        {"var": ""},
        {"var": "unknown"},
        {"<": [{"var": "c"}, 3]},
        {"<": [{"var": "a"}, 3]},
        {"after": [{"var": "day"}, {"plusTime": ["2015-01-01", 0, "day"]}]},
        {"plusTime": ["2015-01-01", 0, "day"]},
        {"!": [{"plusTime": ["2015-01-01", 0, "day"]}]},
        {"if": [{"var": "a"}, {"plusTime": ["2015-01-01", 0, "day"]}, True]},
        {"and": [{"var": "a"}, {"var": "i"}]},
        {"before": [{"plusTime": [{"var": "c"}, 0, "day"]}, {"plusTime": ["2015-01-01", 0, "day"]}]},
        {"before": [{"plusTime": [{"var": "day"}, 10**9, "year"]}, {"plusTime": ["2015-01-01", 0, "day"]}]},
        {"===": [{"dccDateOfBirth": [{"var": "i"}]}, 1]},
        {"===": [{"plusTime": ["yesterday", 0, "day"]}, 1]},
        [1, 2],
        {"or": [True, False]},
    ],
)
def test_an_expression_without_one_kind_or_column_is_refused(expression: Any) -> None:
    with pytest.raises(BadInput):
        compile_to_ibis(expression, TABLE, COLUMNS)


def test_a_table_without_the_evidence_and_a_book_of_too_many_rules_are_refused() -> None:
    with pytest.raises(BadInput, match="residence_risk"):
        level_expression(BOOKS[0], TABLE)
    many = _book([("low", {"var": "a"})] * 63)
    with pytest.raises(LimitExceeded):
        level_expression(many, TABLE, {name: f"col_{name}" for name in TYPES})
    with pytest.raises(BadInput, match="type of column"):
        compile_to_ibis({"var": "a"}, TABLE, {"a": ("col_a", "float")})


def test_an_expression_that_a_query_would_repeat_without_end_is_refused() -> None:
    nested: Any = {"var": "i"}
    for _ in range(16):
        nested = {"+": [nested, 1]}
    assert evaluate(nested, {"i": 1}) == 17
    with pytest.raises(LimitExceeded):
        compile_to_ibis(nested, TABLE, COLUMNS)
