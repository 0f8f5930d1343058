"""The file of exceptions: each has a reason and is read by the test of its suite."""

from __future__ import annotations

from pathlib import Path

from tests.exceptions import rows

TESTS = Path(__file__).parent


def test_each_exception_has_a_reason_and_stands_once() -> None:
    found = rows()
    assert found
    assert all(len(row.reason) > 15 and row.count > 0 for row in found)
    named = [(row.suite, row.case, row.check) for row in found]
    assert len(named) == len(set(named))


def test_each_exception_is_read_by_a_test() -> None:
    source = "\n".join(path.read_text("utf-8") for path in TESTS.rglob("test_*.py"))
    unread = {(row.suite, row.check) for row in rows()} - {
        (row.suite, row.check)
        for row in rows()
        if f'exceptions("{row.suite}", "{row.check}")' in source or f'exceptions("{row.suite}", flag)' in source
    }
    assert unread == set()


def test_there_is_one_file() -> None:
    assert [path.relative_to(TESTS).as_posix() for path in TESTS.rglob("*exception*") if path.suffix == ".csv"] == [
        "exceptions.csv"
    ]
