"""The main job: three nodes, two real line lists, from collection to open, shared, recognised data."""

from __future__ import annotations

import contextlib
import fcntl
import secrets
import shutil
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from rich.console import Console

from hutong.demo import data_steps, exchange_steps, pass_steps, servers
from hutong.demo.lists import LineList, line_lists
from hutong.demo.report import Report
from hutong.demo.residents import resident_number
from hutong.demo.setup_steps import ACCOUNTS, set_up
from hutong.errors import Conflict
from hutong.node import Node

MARKER = "demo.txt"
STOPPED_BY = (signal.SIGTERM, signal.SIGHUP)
"""What ends the demonstration as Ctrl-C does: its servers would outlive it otherwise."""


@dataclass(slots=True)
class Demo:
    """What the steps share: where the nodes are, the lists, and what was made so far."""

    folder: Path
    ports: Mapping[str, int]
    lists: dict[str, LineList]
    report: Report
    password: str
    nodes: dict[str, Node] = field(default_factory=dict)

    @property
    def giver(self) -> Node:
        """The region that shares its records and issues passes."""
        return self.nodes[next(iter(self.lists))]

    @property
    def taker(self) -> Node:
        """The region that asks for the records and reads the pass."""
        return self.nodes[next(reversed(self.lists))]

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"


def run_demo(
    *,
    folder: Path,
    port: int,
    serve: bool,
    json_file: Path | None,
    files: Mapping[str, Path],
    mappings: Mapping[str, Sequence[Path]],
) -> None:
    """Run all steps in ``folder``; with ``serve`` the three nodes then stay up until Ctrl-C."""
    lists = line_lists(files, mappings)
    ports = {name: port + at for at, name in enumerate(("hub", *lists))}
    for used in ports.values():
        servers.require_free(used)
    with _stoppable(), room(folder):
        console = Console(soft_wrap=True)
        demo = Demo(folder, ports, lists, Report(console), password=f"lane-{secrets.token_hex(6)}")
        regions = ", ".join(f"{name} ({listed.file.name})" for name, listed in lists.items())
        console.print(f"Three nodes in {folder}: hub, {regions}", highlight=False)
        set_up(demo)
        running = servers.serving({folder / name: used for name, used in ports.items()})
        try:
            with contextlib.ExitStack() as stack:
                processes = stack.enter_context(running)
                exchange_steps.introduce(demo)
                data_steps.acquire(demo)
                data_steps.assess(demo)
                data_steps.publish(demo)
                exchange_steps.harvest(demo)
                exchange_steps.share(demo)
                pass_steps.passes(demo)
                exchange_steps.witness_and_check(demo)
                _finish(demo, processes, json_file)
                if serve:
                    _closing_screen(demo)
                    _wait_for_stop()
        finally:
            for node in demo.nodes.values():
                node.close()


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Signals that would end the process at once raise SystemExit (128 and the signal's number) meanwhile.

    A signal that is ignored (SIGHUP under nohup) stays so.
    """
    taken = [number for number in STOPPED_BY if signal.getsignal(number) is signal.SIG_DFL]

    def stop(number: int, _frame: object) -> None:
        for other in taken:
            signal.signal(other, signal.SIG_IGN)  # a second one must not end the stopping
        raise SystemExit(128 + number)

    for number in taken:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def room(folder: Path) -> Iterator[None]:
    """An empty folder for a demonstration, its alone while it runs. One that is over is replaced.

    Raises Conflict when the folder holds anything else, or a demonstration that is still running.
    """
    marker = folder / MARKER
    if folder.exists() and any(folder.iterdir()):
        if not marker.is_file():
            raise Conflict(f"{folder} is not empty and is no earlier demonstration.", "Choose another with --dir.")
        with marker.open() as earlier:
            _take(earlier, folder)
            shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    marker.write_text("Made by hutong demo; the next run in this folder replaces it.\n", encoding="utf-8")
    with marker.open() as own:
        _take(own, folder)
        yield


def _take(marker: TextIO, folder: Path) -> None:
    """Lock the marker; the system lets go of it when its process ends, however it ends."""
    try:
        fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Conflict(f"A demonstration is running in {folder}.", "Stop it, or choose another --dir.") from None


def _finish(demo: Demo, processes: Mapping[int, int], json_file: Path | None) -> None:
    demo.report.facts["servers_peak_memory_mib"] = {
        name: servers.resident_memory_mib(processes[port]) for name, port in demo.ports.items()
    }
    demo.report.facts["nodes"] = {
        name: {"url": demo.url(name), "folder": str(demo.folder / name)} for name in demo.ports
    }
    demo.report.facts["addresses"] = dict(_addresses(demo))
    demo.report.facts["accounts"] = {
        "names": list(ACCOUNTS),
        "resident": {"node": demo.giver.id, "name": resident_number(0)},
        "password": demo.password,
    }
    demo.report.finish(json_file)
    total = demo.report.facts["total_seconds"]
    memory = demo.report.facts["memory_mib_in_all"]
    demo.report.console.print(
        f"[bold]Done in {total:.0f} s[/bold], {memory:,} MiB of memory at most, in four processes.", highlight=False
    )
    if json_file is not None:
        demo.report.say(f"Every count, finding, id, timing and path is in {json_file}")


def _closing_screen(demo: Demo) -> None:
    say = demo.report.console.print
    say()
    say("[bold]Open[/bold]", highlight=False)
    for address, meaning in _addresses(demo):
        say(f"   {address:38} {meaning}", highlight=False, markup=False)
    say("[bold]Check[/bold] a log yourself, from its entries to its signature", highlight=False)
    say(f"   hutong log check --node {demo.folder / demo.giver.id}", highlight=False, markup=False)
    say("[bold]Sign in[/bold] on each node", highlight=False)
    say(f"   {', '.join(ACCOUNTS)} · password {demo.password}", highlight=False, markup=False)
    say("   authority acts, and second agrees where two persons are needed", highlight=False, markup=False)
    say("Stop with Ctrl-C; the nodes stay in their folders.", highlight=False)


def _addresses(demo: Demo) -> tuple[tuple[str, str], ...]:
    """What to open, and what is there."""
    giver, taker = demo.url(demo.giver.id), demo.url(demo.taker.id)
    return (
        (f"{demo.url('hub')}/", "one catalogue of both regions, and their joint curve"),
        (f"{giver}/", f"{demo.giver.settings.name['en']}: emergency, epidemic curve, map, data, quality"),
        (f"{taker}/", f"{demo.taker.settings.name['en']}: the same for the other list"),
        (f"{taker}/en/pass/verify", "check the pass: its picture is " + str(demo.folder / "pass.png")),
        (f"{demo.url('hub')}/en/recognition", "whose levels each region recognises, at nine kinds of places"),
        (f"{giver}/en/pass", f"a resident's own pass and appeals: sign in as {resident_number(0)}"),
        (f"{giver}/en/log", "every step above, with its proof"),
        (f"{giver}/api/log/check", "the whole log recomputed, by the node"),
    )


def _wait_for_stop() -> None:
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)
