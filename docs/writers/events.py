"""The page of events: every kind of log entry, found where the code tells the log of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from docs.writers.markdown import first_sentence, page, table

MOST_STEPS = 4
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
written in the same transaction as the change of records that it tells of; that of levels or risk areas right after
the lake's commit, and by the next run where a crash came between. *and more* stands for facts that depend on the case.
"""


def _told_in(path: Path) -> Iterator[Told]:
    module = ast.parse(path.read_text("utf-8"))
    for function in _functions(module):
        for call in ast.walk(function):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "event"):
                continue
            if not (call.args and isinstance(call.func.value, ast.Name)):
                continue
            facts = tuple(keyword.arg or "and more" for keyword in call.keywords)
            for kind, teller in _kinds(call.args[0], function, module, path):
                # A function that saves for another one is private; the public one above it says what is done.
                public = _public(teller, module)
                where = f"{path.relative_to(SOURCE).as_posix()}: {public.name}"
                yield Told(kind, facts, where, first_sentence(ast.get_docstring(public)))


def _functions(module: ast.Module) -> list[ast.FunctionDef]:
    return [statement for statement in ast.walk(module) if isinstance(statement, ast.FunctionDef)]


def _public(function: ast.FunctionDef, module: ast.Module) -> ast.FunctionDef:
    """The function itself, or the first public one that leads to it."""
    seen = {function.name}
    while function.name.startswith("_"):
        users = [user for user, _ in _calls_of(function.name, module) if user.name not in seen]
        if not users:
            return function
        function = next((user for user in users if not user.name.startswith("_")), users[0])
        seen.add(function.name)
    return function


def _calls_of(name: str, module: ast.Module) -> Iterator[tuple[ast.FunctionDef, ast.Call]]:
    for function in _functions(module):
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                yield function, node


def _kinds(
    argument: ast.expr, function: ast.FunctionDef, module: ast.Module, path: Path, depth: int = 0
) -> Iterator[tuple[str, ast.FunctionDef]]:
    """The kinds that an expression can be, each with the function that says it."""
    text = ast.unparse(argument)
    if isinstance(argument, ast.Constant):
        yield str(argument.value), function
        return
    if isinstance(argument, ast.IfExp):
        yield from _kinds(argument.body, function, module, path, depth)
        yield from _kinds(argument.orelse, function, module, path, depth)
        return
    if isinstance(argument, ast.JoinedStr):
        for kind in COMPOSED.get(text[2:-1], (text[2:-1],)):
            yield kind, function
        return
    parameters = [entry.arg for entry in (*function.args.args, *function.args.kwonlyargs)]
    if isinstance(argument, ast.Name) and argument.id in parameters and depth < MOST_STEPS:
        for user, call in _calls_of(function.name, module):
            given = {keyword.arg: keyword.value for keyword in call.keywords} | dict(zip(parameters, call.args))  # noqa: B905
            if argument.id in given:
                yield from _kinds(given[argument.id], user, module, path, depth + 1)
        return
    yield _constant(text.rpartition(".")[2], path), function


def _constant(name: str, path: Path) -> str:
    """The text of a constant such as ``EVENT``, wherever it is defined."""
    for other in sorted(SOURCE.rglob("*.py")):
        for statement in ast.parse(other.read_text("utf-8")).body:
            if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant):
                names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
                if name in names and "." in str(statement.value.value):
                    return str(statement.value.value)
    raise RuntimeError(f"{path}: the event's kind {name} can't be read from the code")
