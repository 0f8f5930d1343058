"""What another node answers is foreign text: of bounded length, in one line, and without what steers a terminal."""

from __future__ import annotations

import orjson

from hutong.errors import Refused, Unavailable
from hutong.trust.peers import MOST_CHARACTERS, MOST_REASONS, Reply, _remote_error

URL = "http://127.0.0.1/x"


def test_an_error_of_another_node_steers_no_terminal() -> None:
    told = {
        "title": "No.\n\x1b[2JAll is well 好的。",
        "detail": "\u202eAsk\x07 again." + "x" * 10_000,
        "reasons": ["\x9b31mred"] * 50,
        "policies": ["\x1b]0;x\x07"],
    }
    error = _remote_error(URL, Reply(403, "application/problem+json", orjson.dumps(told)))
    assert isinstance(error, Refused)
    assert error.what == "No. [2JAll is well 好的。"
    assert error.do.startswith("Ask again.x") and len(error.do) <= MOST_CHARACTERS
    assert error.reasons == ("31mred",) * MOST_REASONS
    assert error.policies == ("]0;x",)


def test_an_error_that_says_nothing_is_told_by_its_status() -> None:
    for body in (b"", b"[]", b'{"title": "\\u0007", "detail": null}'):
        error = _remote_error(URL, Reply(500, "text/html", body))
        assert isinstance(error, Unavailable)
        assert error.what == f"{URL} answered 500"
        assert error.do
