"""One filled node for all tests of the doors that only read, and the same on a real port for real clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from hutong.web.app import create_app
from tests.web import world as worlds
from tests.web.serving import serving
from tests.web.world import Shared, World


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A filled node. Tests must leave it as it is."""
    folder = tmp_path_factory.mktemp("world")
    node = worlds.make_node(folder)
    yield worlds.fill(node, folder)
    node.close()


@pytest.fixture(scope="session")
def shared(world: World) -> Shared:
    """Requests and an agreement on the filled node."""
    return worlds.share(world.node)


@pytest.fixture
def client(world: World) -> TestClient:
    """Calls the filled node's doors."""
    return TestClient(create_app(world.node), base_url="http://node.test", follow_redirects=False)


@pytest.fixture(scope="session")
def address(world: World) -> Iterator[str]:
    """The filled node on a real port of this machine."""
    with serving(world.node) as here:
        yield here
