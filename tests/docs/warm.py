"""A ``hutong`` that is loaded already, for the many commands of pages.

Python loads a second's worth of libraries for a command that takes a tenth of one. Here a process loads them once, and
is copied for each command: what runs is the program's own ``main`` with the command's arguments, folder, environment
and streams, and its signals and exit code are passed on. That the program starts by itself is tested in ``tests/cli``
and ``tests/demo``, which start it.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

LATER = ("hutong.demo", "hutong.storage.migrations")
LIBRARIES = ("alembic.command", "duckdb", "ibis", "pyarrow.parquet", "pyiceberg.catalog.sql", "pyiceberg.io.pyarrow")
_LENGTH_BYTES = 4
_COMMAND = """#!{python} -IS
import json, os, signal, socket, sys

with socket.socket(socket.AF_UNIX) as door:
    door.connect("{place}")
    order = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(door, [len(order).to_bytes({length}, "big")], [0, 1, 2])
    door.sendall(order)
    process = int.from_bytes(door.recv({length}), "big")
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, _: os.kill(process, number))
    code = door.recv(1)
sys.exit(code[0] if code else "the loaded program has gone")
"""


@contextmanager
def warm_program(folder: Path) -> Iterator[Path]:
    """A folder for the path of commands, in which ``hutong`` is the loaded program as long as the block lasts."""
    place, program = folder / "door", folder / "bin" / "hutong"
    program.parent.mkdir()
    program.write_text(_COMMAND.format(python=sys.executable, place=place, length=_LENGTH_BYTES), "utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(place))
        door.listen()
        loaded = subprocess.Popen(
            [sys.executable, "-m", __name__, str(door.fileno())], pass_fds=[door.fileno()], stdin=subprocess.DEVNULL
        )
    try:
        yield program.parent
    finally:
        loaded.terminate()
        loaded.wait(60)


def main(door: socket.socket) -> None:
    """Load, and then become each command that comes in, until it is stopped."""
    import hutong

    for module in walk_packages(hutong.__path__, "hutong."):
        if not module.name.startswith(LATER):
            import_module(module.name)
    for library in LIBRARIES:
        import_module(library)
    from hutong.cli.main import main as run
    from hutong.cli.main import program

    program()
    gc.freeze()  # or a copy that looks for garbage copies all that is loaded
    keepers: set[int] = set()
    while True:
        caller, _ = door.accept()
        keepers = {keeper for keeper in keepers if os.waitpid(keeper, os.WNOHANG)[0] == 0}
        keeper = os.fork()
        if keeper:
            keepers.add(keeper)
            caller.close()
            continue
        door.close()
        _become(caller)
        try:
            run()
        except SystemExit as ended:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(ended.code)  # to take all libraries down again takes longer than most commands


def _become(caller: socket.socket) -> None:
    """Start a copy for a caller's command, in which this returns; the keeper stays and tells the caller how it ends."""
    length, streams, _, _ = socket.recv_fds(caller, _LENGTH_BYTES, 3)
    order = caller.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL)
    os.setsid()
    lasts, held = os.pipe()  # readable when the copy has gone, however it went
    copy = os.fork()
    if copy:
        os.close(held)
        for stream in streams:
            os.close(stream)
        caller.sendall(copy.to_bytes(_LENGTH_BYTES, "big"))
        ready, _, _ = select.select([lasts, caller], [], [])
        if lasts not in ready:  # the caller was killed
            os.kill(copy, signal.SIGTERM)
        code = os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1])
        if lasts in ready:
            caller.sendall(bytes([code if code >= 0 else 128 - code]))
        os._exit(0)
    caller.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    arguments, folder, environment = json.loads(order)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["hutong", *arguments]


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
