"""The command line as a user meets it: arguments in; exit code, standard output and standard error out."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from hutong.cli.main import main
from tests.conftest import not_checked
from tests.web import world

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """What a command left on the terminal."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return orjson.loads(self.out)


@dataclass
class CommandLine:
    """Runs ``hutong`` in this process (starting Python for each command would take most of the time)."""

    called: set[str] = field(default_factory=set)
    """Commands that ran with ``--json``: ``log check``."""

    def __call__(self, *arguments: object) -> Result:
        given = [str(argument) for argument in arguments]
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            patch.setattr(sys, "argv", ["hutong", *given])
            patch.delenv("HUTONG_NODE", raising=False)
            with pytest.raises(SystemExit) as ended:
                main()
        code = ended.value.code
        assert isinstance(code, int)
        if "--json" in given:
            words = [word for word in given[:2] if not word.startswith("-")]
            self.called |= {words[0], " ".join(words)}
        return Result(code, out.getvalue(), err.getvalue())

    def ok(self, *arguments: object) -> Any:
        """Run with ``--json``, expect success, give the JSON."""
        result = self(*arguments, "--json")
        assert (result.code, result.err) == (0, ""), result.err or result.out
        return result.json


@pytest.fixture(scope="session")
def hutong() -> CommandLine:
    return CommandLine()


@pytest.fixture(scope="module")
def kind() -> str:
    """The kind of the records of the region's nodes; a module may have another."""
    return "sqlite"


@dataclass(frozen=True)
class Files:
    """The files that a steward writes before the first command; days are relative to today."""

    folder: Path

    def write(self, name: str, content: str | bytes | Document) -> Path:
        path = self.folder / name
        if isinstance(content, Mapping):
            content = yaml.safe_dump(dict(content), allow_unicode=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path


def day(offset: int) -> str:
    return (datetime.now(UTC).date() + timedelta(days=offset)).isoformat()


def emergency() -> Document:
    return {**world.EMERGENCY, "id": "dengue-now", "starts": day(-1), "review": day(30), "sunset": day(90)}


def source(identifier: str = "tw-dengue") -> Document:
    return {**world.SOURCE.document(), "id": identifier}


def boundary(tables: Mapping[str, list[str]]) -> Document:
    return {
        "id": "lists",
        "emergency": "dengue-now",
        "purpose": "Surveillance",
        "tables": dict(tables),
        "valid_until": day(60),
    }


def elements(*tables: str) -> dict[str, list[str]]:
    from hutong.standard import load

    standard = load()
    return {name: sorted(element.name for element in standard.table(name).elements) for name in tables}


def init(hutong: CommandLine, folder: Path, *, node_id: str = "tw", territory: str = "TW", url: str = "") -> Any:
    names = ("--name-en", f"Region {node_id}", "--name-zh", f"地区 {node_id}")
    address = url or "http://127.0.0.1:1"
    return hutong.ok("init", "--node", folder, "--id", node_id, *names, "--territory", territory, "--url", address)


def prepare(hutong: CommandLine, node: Path, files: Files) -> dict[str, Any]:
    """A node with an emergency, a boundary and a source; what the commands said."""
    return {
        "emergency": hutong.ok("emergency", "declare", files.write("emergency.yaml", emergency()), "--node", node),
        "boundary": hutong.ok(
            "boundary",
            "set",
            files.write("boundary.yaml", boundary(elements("case", "area", "person", "test"))),
            "--node",
            node,
        ),
        "source": hutong.ok("source", "declare", files.write("source.yaml", source()), "--node", node),
    }


Commands = Callable[..., Result]


NAMESPACE = "HUTONG_TESTS_IN_NAMESPACE"
NAMESPACE_SECONDS = 600


def require_one_passed(code: int, out: str) -> None:
    """That one test ran and passed: a run that only skipped ends well, too."""
    assert code == 0, out
    assert re.search(r"^1 passed\b(?!.*skipped)", out, re.MULTILINE), out


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path | None]:
    """A file system of 3 MB; None where this process may not mount one, then the test runs in another that may."""
    folder = tmp_path / "disk"
    folder.mkdir()
    order = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or shutil.which("mount") is None or subprocess.run(order, check=False).returncode:
        yield None
        return
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that fills a disk in a namespace of its own, in which anybody may mount."""
    if pyfuncitem.funcargs.get("small_disk", "") is not None:
        return None
    unshare = shutil.which("unshare")
    if unshare is None or NAMESPACE in os.environ or _can_not(unshare):
        not_checked("a small file system can't be mounted here: a full disk was NOT tried")
    run = subprocess.run(
        [unshare, "-rm", sys.executable, "-m", "pytest", pyfuncitem.nodeid],
        cwd=pyfuncitem.config.rootpath,
        env={**os.environ, NAMESPACE: "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=NAMESPACE_SECONDS,
    )
    if "NOT CHECKED" in run.stdout:
        not_checked("a small file system can't be mounted here: a full disk was NOT tried")
    require_one_passed(run.returncode, run.stdout)
    return True


def _can_not(unshare: str) -> bool:
    """Whether this process may make no namespace."""
    return subprocess.run([unshare, "-rm", "true"], check=False, timeout=60).returncode != 0
