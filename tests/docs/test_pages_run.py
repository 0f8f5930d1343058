"""The tutorial and the how-tos do what they say: their blocks are run against the real program."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import Reader, blocks, commands, first_missing, free_port
from tests.docs.warm import warm_program

DOCS = Path(__file__).parents[2] / "docs"
# How-tos whose blocks need what a test machine has not (a systemd, another machine) are read, not run.
PAGES = [DOCS / "tutorial.md", *sorted((DOCS / "how-to").glob("*.md"))]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with warm_program(tmp_path_factory.mktemp("warm")) as found:
        yield found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_blocks_of_a_page_run(page: Path, programs: Path, tmp_path: Path) -> None:
    found = list(blocks(page.read_text("utf-8")))
    runnable = [block for block in found if block.title or block.language in ("console", "python")]
    assert runnable, f"{page.name} shows nothing that runs"
    reader = Reader(tmp_path, programs)
    reader.read(page)
    assert reader.commands > 0


def test_the_loaded_program_does_what_the_program_does(programs: Path, tmp_path: Path) -> None:
    """Arguments, folder, environment, streams, exit codes and signals go through."""

    def call(script: str, found_in: Path = programs) -> tuple[int, str, str]:
        environment = {"PATH": f"{found_in}:/usr/bin:/bin", "HUTONG_NODE": "node"}
        command = ["bash", "-c", script]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    code, out, _ = call("hutong init --id zz --name-en 'Z Z' --name-zh 北 --territory ZZ --json")
    assert (code, json.loads(out)["node"], (tmp_path / "node").is_dir()) == (0, "zz", True)
    serve = f"hutong serve --port {free_port()} > said & until [ -s said ]; do sleep 0.05; done; cat said; rm said"
    for script, code, said in (
        ("hutong log check", 0, "The log holds 1 entries"),
        ("hutong log check --node elsewhere", 3, "There is no node"),
        (f"{serve}; kill $!; wait $!", 143, "Node zz is at"),
    ):
        done = call(script)
        assert (done[0], said in done[1] + done[2]) == (code, True), done
        assert done == call(script, Path(sys.executable).parent)


def test_there_are_pages() -> None:
    assert len(PAGES) > 8


def test_a_command_knows_its_output_and_whether_it_may_fail() -> None:
    text = "$ one \\\n  --more\nshown\n$ false\n$ echo $?\n1\n"
    assert list(commands(text)) == [
        ("one \\\n  --more", ["shown"], False),
        ("false", [], True),
        ("echo $?", ["1"], False),
    ]


@pytest.mark.parametrize(
    ("expected", "missing"),
    [(["a", "c"], None), (["c", "a"], "a"), (["x…z"], None), (["…", "b"], None), (["ab"], "ab")],
)
def test_expected_lines_are_found_in_order(expected: list[str], missing: str | None) -> None:
    assert first_missing(expected, "a\nb\nxyz\nc\n") == missing


def test_output_that_differs_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ echo one\ntwo\n```\n", "utf-8")
    with pytest.raises(AssertionError, match="does not show 'two'"):
        Reader(tmp_path).read(page)


def test_a_command_that_fails_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ false\n```\n", "utf-8")
    with pytest.raises(AssertionError, match="ended with 1"):
        Reader(tmp_path).read(page)
