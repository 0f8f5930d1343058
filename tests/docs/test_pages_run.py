"""The tutorial and the how-tos do what they say: their blocks are run against the real program."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.blocks import Reader, blocks, commands, first_missing

DOCS = Path(__file__).parents[2] / "docs"
# How-tos whose blocks need what a test machine has not (a systemd, another machine) are read, not run.
PAGES = [DOCS / "tutorial.md", *sorted((DOCS / "how-to").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_blocks_of_a_page_run(page: Path, tmp_path: Path) -> None:
    found = list(blocks(page.read_text("utf-8")))
    runnable = [block for block in found if block.title or block.language in ("console", "python")]
    assert runnable, f"{page.name} shows nothing that runs"
    reader = Reader(tmp_path)
    reader.read(page)
    assert reader.commands > 0


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
