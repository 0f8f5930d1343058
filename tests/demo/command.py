"""How the tests run the command: with which program, how long at most, and on which ports."""

from __future__ import annotations

import os
import socket
import sys

HUTONG = (sys.executable, "-m", "hutong.cli.main", "demo")
LONGEST_SECONDS = 600


def free_port() -> int:
    """The first of three free ports in a row; another process that runs tests begins to look elsewhere."""
    for first in range(18_000 + os.getpid() % 500 * 60, 60_000, 7):
        taken = []
        for port in range(first, first + 3):
            with socket.socket() as tried:
                taken.append(tried.connect_ex(("127.0.0.1", port)) == 0)
        if not any(taken):
            return first
    raise AssertionError("no free ports")
