"""What can't be had fails in CI, and is skipped where it need not be there."""

from __future__ import annotations

import pytest

from tests.conftest import not_checked


@pytest.mark.parametrize(
    ("ci", "must", "outcome"),
    [
        ("1", True, pytest.fail.Exception),
        ("1", False, pytest.skip.Exception),
        ("", True, pytest.skip.Exception),
    ],
)
def test_what_is_not_checked_fails_in_ci_where_it_must_be_there(
    monkeypatch: pytest.MonkeyPatch, ci: str, *, must: bool, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="NOT tried"):
        not_checked("it was NOT tried", must_be_in_ci=must)
    with pytest.raises(AssertionError):
        not_checked("nobody would read this at the end", must_be_in_ci=must)
