"""Whatever the description of the API allows, and whatever it does not, gets a documented answer: from anyone.

What it does not allow is refused, and so are a method that it does not have, and a token that nobody gave. Not checked
here: that what it allows is accepted, since most calls name something that there is or need a role (the tests of each
stage make them).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import cycle
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Ok
from schemathesis.python import asgi
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from hutong.trust.authorisation import ROLES
from hutong.web.app import create_app
from tests.kept import Kept
from tests.web import world as worlds
from tests.web.world import World

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
EXAMPLES = {"sqlite": 10, "postgresql": 3}
"""Calls of each operation; what differs between the databases are few kinds of values, and calls take long."""
FEWEST_OPERATIONS = 45


@pytest.fixture(scope="module")
def changing(kept: Kept, records: str) -> Iterator[World]:
    """A filled node that the calls may change."""
    made = worlds.again(kept, records)
    yield made
    made.node.close()


@pytest.fixture(scope="module")
def described(changing: World) -> BaseSchema:
    app = create_app(changing.node)
    app.openapi()  # kept then: a call waits ten seconds at most, which is little on a machine that is busy
    return schemathesis.openapi.from_asgi("/api/openapi.json", app)


def operations(schema: BaseSchema) -> list[Any]:
    found = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    assert len(found) >= FEWEST_OPERATIONS
    return found


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_operation_answers_as_described(
    changing: World, described: BaseSchema, mode: GenerationMode, records: str
) -> None:
    tried = Tried(described, mode, EXAMPLES[records], {who: _bearer(changing.tokens[who]) for who in ROLES})
    for operation in operations(described):
        tried.call(operation)
    tried.require(FEWEST_OPERATIONS - 15)


def test_a_method_that_no_operation_has_is_refused(described: BaseSchema) -> None:
    document = described.app.openapi()
    methods = {method for path in document["paths"].values() for method in path}
    missing = {"put", "post", "patch", "delete"} - methods
    assert missing == {"patch", "delete"}
    with asgi.get_client(described.app) as client:
        for path in document["paths"]:
            address = re.sub(r"\{[^}]+\}", "1", path)
            for method in missing:
                answer = client.request(method, address)
                assert answer.status_code == 405, (method, path)
                has = {other.upper() for other in document["paths"][path]}
                told = set(answer.headers["allow"].split(", ")) - {"HEAD"}
                assert told == has or not path.startswith("/api/"), (method, path)
        assert client.get("/api/appeals/nothing/here").status_code == 404
        assert client.get("/api/log/proof-check").headers["allow"] == "POST"
        told_public = client.request("OPTIONS", "/api/emergencies").headers["allow"]
        assert set(told_public.split(", ")) - {"HEAD"} == {"GET", "POST"}


def test_the_description_is_found_where_others_have_it(described: BaseSchema) -> None:
    with asgi.get_client(described.app) as client:
        for tried, place in (("/openapi.json", "/api/openapi.json"), ("/docs", "/api/docs")):
            answer = client.get(tried, allow_redirects=False)
            assert (answer.status_code, answer.headers["location"]) == (308, place)


def test_a_day_is_written_as_one(described: BaseSchema) -> None:
    rows = "/api/opening/datasets/tw-dengue-weekly/rows"
    with asgi.get_client(described.app) as client:
        assert client.get(rows, params={"to": "2015-08-30"}).status_code == 200
        for wrong in ("0", "20150830", "2015-8-30", "2015-08-30T00:00:00"):
            assert client.get(rows, params={"to": wrong}).status_code == 422, wrong
        for wrong in ("0", "2015-08-30", "2015-08-30T00:00:00"):
            answer = client.get("/passes/trust-bundle", params={"lists_since": wrong})
            assert answer.status_code == 422, wrong


def test_a_parameter_that_an_operation_does_not_have_is_refused(described: BaseSchema) -> None:
    with asgi.get_client(described.app) as client:
        for path, says in (
            (
                "/api/opening/datasets/tw-dengue-weekly/rows?offset=-1",
                "Use one of: version, area, from, to, limit, after.",
            ),
            ("/api/search?page=2", "Use one of: q, grade, "),
            ("/api/sharing/joint-series?after=1", "Use one of: party, level, "),
            ("/api/emergencies?limit=0", "Leave it out"),
            ("/api/log/entries?limit=0", "/api/docs"),
            ("/api/log/entries?limit=abc", "/api/docs"),
            ("/api/search?offset=-1", "/api/docs"),
        ):
            answer = client.get(path)
            told = answer.json()
            assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), path
            assert told["type"] == "urn:hutong:problem:bad-input" and says in told["detail"], told
        for path in (
            "/api/search?q=dengue&grade=0&grade=1",
            "/api/3/action/package_list?offset=0&other=1",
            "/catalogue.ttl?x=1",
        ):
            assert client.get(path).status_code == 200, path


def test_a_token_that_nobody_gave_is_refused_wherever_the_description_names_one(described: BaseSchema) -> None:
    document = described.app.openapi()
    unknown = _bearer("nobody-gave-this")
    named = optional = 0
    with asgi.get_client(described.app) as client:
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                ways = operation.get("security", [])
                assert bool(ways) <= ("401" in operation["responses"]), (method, path)
                address = re.sub(r"\{[^}]+\}", "1", path)
                if ways:
                    named += 1
                    assert client.request(method, address, headers=unknown).status_code == 401, (method, path)
                if ways and {} not in ways:
                    assert client.request(method, address).status_code == 401, (method, path)
                optional += {} in ways
    assert (named, optional) == (69, 65)


class Tried:
    """What generated calls were answered: the first of an operation made by everybody, the others by nobody, by the
    first of the callers and by one of the rest in turn.

    To generate a call takes longer than to make it, so that one is made by several.
    """

    def __init__(
        self, schema: BaseSchema, mode: GenerationMode, examples: int, callers: dict[str, dict[str, str]]
    ) -> None:
        self._schema, self._mode, self._examples = schema, mode, examples
        self._all = [("anyone", {}), *callers.items()]
        self._rest = cycle(self._all[2:])
        self._calls: Counter[tuple[str, str]] = Counter()
        self._wrong: dict[str, list[str]] = {}

    def call(self, operation: Any) -> None:
        @seed(1)
        @settings(max_examples=self._examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=self._mode))
        def make(case: Any) -> None:
            called = self._calls[operation.label, "anyone"] > 0
            for who, headers in [*self._all[:2], next(self._rest)] if called else self._all:
                self._calls[operation.label, who] += 1
                answer = case.call(session=client, headers=headers)
                try:
                    case.validate_response(answer, checks=CHECKS)
                except (Failure, FailureGroup) as error:
                    causes = error.exceptions if isinstance(error, FailureGroup) else (error,)
                    self._wrong[f"{operation.label} by {who}"] = [str(cause)[:900] for cause in causes]

        try:
            with asgi.get_client(self._schema.app) as client:
                make()
        except Unsatisfiable:
            # What takes no parameters can't be asked wrongly.
            assert self._mode is GenerationMode.NEGATIVE, operation.label

    def require(self, fewest: int) -> None:
        """No answer was wrong, and so many operations were called by each caller."""
        assert not self._wrong, "\n\n".join(f"{label}\n" + "\n".join(told) for label, told in self._wrong.items())
        of_each = Counter(who for _, who in self._calls)
        assert min(of_each.values()) >= fewest, of_each


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
