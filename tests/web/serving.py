"""A node on a real port of this machine."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import uvicorn

from hutong.node import Node
from hutong.web.app import create_app


@contextmanager
def serving(node: Node) -> Iterator[str]:
    """The node's doors without its jobs; gives their address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        here = f"http://127.0.0.1:{listening.getsockname()[1]}"
        served = replace(node, settings=replace(node.settings, url=here))
        server = uvicorn.Server(uvicorn.Config(create_app(served), log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        deadline = time.monotonic() + 20
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield here
        server.should_exit = True
        thread.join(10)
