"""Blocks that are shown and not run (another machine, another database): read by the program that would take them."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from hutong.acquisition.mapping_file import read_mapping
from hutong.cli.main import app
from hutong.settings import FILE, load_settings
from hutong.standard import load
from tests.docs.blocks import Block, blocks

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES += sorted((ROOT / "docs" / "how-to").glob("*.md"))
NODE = 'id = "river"\nterritory = "ZZ"\nurl = "https://data.river.example"\n'
NAME = '\n[name]\nen = "River Region"\nzh = "河区"\n'
FORMS = {"date": {"date": "%Y-%m-%d"}, "boolean": {"codes": {"Y": True, "N": False}}}
ELSEWHERE = {"createdb", "export"}
"""Commands of shell blocks that are neither ours nor pip's or make's."""
_VARIABLE = re.compile(r"[A-Z_]+=\S+")


def shown(*languages: str) -> list[tuple[Path, Block]]:
    found = [(page, block) for page in PAGES for block in blocks(page.read_text("utf-8"))]
    return [(page, block) for page, block in found if block.language in languages and not block.title]


def place(case: tuple[Path, Block]) -> str:
    return f"{case[0].stem}:{case[1].line}"


def test_there_are_no_blocks_that_nothing_reads() -> None:
    known = {"console", "python", "text", "sh", "toml", "yaml", "csv", "json", "mermaid"}
    assert {block.language for page in PAGES for block in blocks(page.read_text("utf-8"))} <= known


@pytest.mark.parametrize("case", shown("toml"), ids=place)
def test_settings_are_settings(case: tuple[Path, Block], tmp_path: Path) -> None:
    text = case[1].text
    # The tables of the block stand last, so that its single settings are not taken for part of the name.
    single, _, tables = text.partition("\n[")
    (tmp_path / FILE).write_text(NODE + single + NAME + (f"\n[{tables}" if tables else ""), "utf-8")
    settings = load_settings(tmp_path, {})
    for name, value in tomllib.loads(text).items():
        if name == "limits":
            assert {limit: getattr(settings.limits, limit) for limit in value} == value
        else:
            assert getattr(settings, name) == value


@pytest.mark.parametrize("case", shown("yaml"), ids=place)
def test_parts_of_a_mapping_fit_the_mapping_of_their_page(case: tuple[Path, Block]) -> None:
    page, block = case
    whole = next(other for other in blocks(page.read_text("utf-8")) if other.title == "cases.yaml")
    mapping = yaml.safe_load(whole.text)
    part = {name: value for name, value in yaml.safe_load(block.text).items() if value}
    for element in load().table("case").elements:
        if re.search(rf"\b{element.name}\b", block.text):  # which the part takes for granted
            form = FORMS.get(element.type, {})
            mapping["elements"].setdefault(element.name, {"from": element.name, **form})
    read = read_mapping(yaml.safe_dump({**mapping, **part}), load())
    assert read.table.name == "case"
    assert [rule.id for rule in read.row_rules] == [rule["id"] for rule in part.get("rows", mapping.get("rows", []))]


@pytest.mark.parametrize("case", shown("sh"), ids=place)
def test_lines_of_a_shell_are_understood(case: tuple[Path, Block]) -> None:
    subprocess.run(["bash", "-n"], input=case[1].text, text=True, check=True)
    for line in case[1].text.splitlines():
        words = [word for word in shlex.split(line, comments=True) if not _VARIABLE.fullmatch(word)]
        match words:
            case [] | ["export"]:
                continue
            case ["hutong", *given]:
                understand(given)
            case ["make", *targets]:
                subprocess.run(["make", "-n", *targets], cwd=ROOT, capture_output=True, check=True)
            case ["pip", "install", name]:
                extra = re.fullmatch(r"hutong\[(\w+)\]", name)
                assert extra
                assert (
                    extra[1]
                    in tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
                )
            case [first, *_]:
                assert first in ELSEWHERE, line


def understand(given: list[str]) -> None:
    """Parse a command's words as the program would, without running it. Raises what the command line raises."""
    command, context = get_command(app), None
    while hasattr(command, "commands"):
        name, *given = given
        command = command.commands[name]
    with command.make_context(command.name, given, parent=context):
        pass


def test_a_word_that_no_command_knows_is_noticed() -> None:
    with pytest.raises(KeyError):
        understand(["poblish", "x.yaml"])
    with pytest.raises(Exception, match="No such option"):
        understand(["serve", "--nod", "river"])
