"""The nodes' servers: one real process each, on the loopback address, stopped with the demonstration."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from hutong.errors import Conflict, Unavailable

READY = "server.json"
"""What the server says when it serves; its complaints go to ``server.txt``."""
START_SECONDS = 180.0
"""A server is up in seconds; on a machine that is busy with other work, loading the engines may take minutes."""


def require_free(port: int, host: str = "127.0.0.1") -> None:
    """``Conflict`` when another program listens on the port, ``Unavailable`` when the system does not give it."""
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Conflict(f"Port {port} is in use.", "Choose another with --port.") from error
        raise Unavailable(
            f"{host} port {port} can't be listened on: {error.strerror}.", "Give another address or port."
        ) from error


@contextmanager
def serving(nodes: dict[Path, int]) -> Iterator[dict[int, int]]:
    """Serve each node folder on its port; yields process ids by port. All are up at the start, gone at the end."""
    processes: dict[int, subprocess.Popen[bytes]] = {}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HUTONG_")}
    try:
        for folder, port in nodes.items():
            where = ("--node", str(folder), "--port", str(port))
            command = [sys.executable, "-m", "hutong.cli.main", "serve", "--json", *where]
            with (folder / READY).open("wb") as ready, (folder / "server.txt").open("wb") as log:
                processes[port] = subprocess.Popen(command, stdout=ready, stderr=log, env=environment)
        for folder, port in nodes.items():
            _wait(processes[port], folder)
        yield {port: process.pid for port, process in processes.items()}
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Until the server has said, in one whole line, where it serves."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        said = (folder / READY).read_bytes()
        if said.endswith(b"\n") and "error" not in orjson.loads(said):
            return
        time.sleep(0.05)
    told = (folder / "server.txt").read_text(errors="replace").strip().splitlines()
    last = told[-1] if told else f"no answer within {START_SECONDS:.0f} s."
    raise Unavailable(f"The server of {folder.name} did not start: {last}", f"See {folder / 'server.txt'}.")


def resident_memory_mib(pid: int) -> int:
    """Resident memory of a process, in MiB; 0 where the system does not say (Linux only)."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return 0
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    return int(lines.get("VmHWM", "0 kB").split()[0]) // 1024
