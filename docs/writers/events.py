"""The page of events: every kind of log entry, found where the code tells the log of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from docs.writers.markdown import first_sentence, page, table

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "hutong"
# Kinds that the code composes: what stands in the place of the value.
COMPOSED = {"request.{decided.state}": ("request.granted", "request.refused")}


@dataclass(frozen=True, slots=True)
class Told:
    """One place that tells the log something."""

    kind: str
    facts: tuple[str, ...]
    where: str
    meaning: str


def write() -> str:
    """The page. Raises ``RuntimeError`` for a kind that can't be read from the code."""
    found = sorted(
        (told for path in sorted(SOURCE.rglob("*.py")) for told in _told_in(path)),
        key=lambda told: (told.kind, told.where),
    )
    if not found:
        raise RuntimeError("no event was found")
    rows = [
        (f"`{told.kind}`", ", ".join(f"`{fact}`" for fact in told.facts) or "none", told.meaning, f"`{told.where}`")
        for told in found
    ]
    return page("Events of the log", "the calls of `change.event` in src", _INTRODUCTION, table(_HEAD, rows))


_HEAD = ("Kind", "Facts", "The action", "Where")
_INTRODUCTION = """
Each entry of a node's log is JSON with sorted keys: `kind`, `by` (the account, party or job that acted), `at` (UTC) and
the facts of its kind: ids, counts, hashes and dates. Never personal data, and never a plain hash of them. An entry is
written in the same transaction as the change that it tells of. *and more* stands for facts that depend on the case.
"""


def _told_in(path: Path) -> Iterator[Told]:
    module = ast.parse(path.read_text("utf-8"))
    for function in ast.walk(module):
        if not isinstance(function, ast.FunctionDef):
            continue
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "event":
                if not (call.args and isinstance(call.func.value, ast.Name)):
                    continue
                facts = tuple(keyword.arg or "and more" for keyword in call.keywords)
                # A function that saves for another one is private; the public one above it says what is done.
                public = function if not function.name.startswith("_") else _user_of(function.name, module) or function
                where = f"{path.relative_to(SOURCE).as_posix()}: {public.name}"
                for kind in _kinds(call.args[0], path):
                    yield Told(kind, facts, where, first_sentence(ast.get_docstring(public)))


def _user_of(name: str, module: ast.Module) -> ast.FunctionDef | None:
    for function in module.body:
        if isinstance(function, ast.FunctionDef) and not function.name.startswith("_"):
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                    return function
    return None


def _kinds(argument: ast.expr, path: Path) -> tuple[str, ...]:
    if isinstance(argument, ast.Constant):
        return (str(argument.value),)
    text = ast.unparse(argument)
    if isinstance(argument, ast.JoinedStr):
        written = text[2:-1]
        if written in COMPOSED:
            return COMPOSED[written]
    name = text.rpartition(".")[2]
    for other in sorted(SOURCE.rglob("*.py")):
        for statement in ast.parse(other.read_text("utf-8")).body:
            if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant):
                names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
                value = str(statement.value.value)
                if name in names and name.startswith(("EVENT", "KIND")) and "." in value:
                    return (value,)
    raise RuntimeError(f"{path}: the kind {text} is composed; add it to COMPOSED in docs/writers/events.py")
