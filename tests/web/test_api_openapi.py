"""Whatever the description of the API allows, and whatever it does not, gets a documented answer: from anyone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
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
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from hutong.trust.authorisation import ROLES
from hutong.web.app import create_app
from tests.web import world as worlds
from tests.web.world import World

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = {"anyone": 8, "operator": 12, "steward": 4, "authority": 4}
FEWEST_EXAMPLES = 2
FEWEST_OPERATIONS = 45


@pytest.fixture(scope="module")
def changing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A filled node that the calls may change."""
    folder = tmp_path_factory.mktemp("changing")
    node = worlds.make_node(folder)
    yield worlds.fill(node, folder)
    node.close()


@pytest.fixture(scope="module")
def described(changing: World) -> BaseSchema:
    return schemathesis.openapi.from_asgi("/api/openapi.json", create_app(changing.node))


def operations(schema: BaseSchema) -> list[Any]:
    found = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    assert len(found) >= FEWEST_OPERATIONS
    return found


@pytest.mark.parametrize("who", ["anyone", *ROLES])
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_operation_answers_as_described(
    changing: World, described: BaseSchema, who: str, mode: GenerationMode
) -> None:
    headers = {"Authorization": f"Bearer {changing.tokens[who]}"} if who in changing.tokens else {}
    calls: Counter[str] = Counter()
    wrong: dict[str, list[str]] = {}
    with asgi.get_client(described.app) as client:
        for operation in operations(described):
            _try(
                operation,
                mode=mode,
                examples=EXAMPLES.get(who, FEWEST_EXAMPLES),
                headers=headers,
                client=client,
                calls=calls,
                wrong=wrong,
            )
    assert not wrong, "\n\n".join(f"{label}\n" + "\n".join(told) for label, told in wrong.items())
    assert len(calls) >= FEWEST_OPERATIONS - 15


def _try(
    operation: Any,
    *,
    mode: GenerationMode,
    examples: int,
    headers: dict[str, str],
    client: asgi.ASGIClient,
    calls: Counter[str],
    wrong: dict[str, list[str]],
) -> None:
    @seed(1)
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def call(case: Any) -> None:
        calls[operation.label] += 1
        case.headers.update(headers)
        response = case.call(session=client)
        case.validate_response(response, checks=CHECKS)

    try:
        call()
    except Unsatisfiable:
        # What takes no parameters can't be asked wrongly.
        assert mode is GenerationMode.NEGATIVE, operation.label
    except (Failure, FailureGroup) as error:
        causes = error.exceptions if isinstance(error, FailureGroup) else (error,)
        wrong[operation.label] = [str(cause)[:900] for cause in causes]
