"""What a person can do on a page, a program can do over HTTP, and the operator on the command line: read off the code.

A door calls what the stages offer. These tests collect the calls, and compare the doors with each other, so that a new
form without its operation is found on the day on which it is written. What has no counterpart stands here, with why.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from fastapi.routing import APIRoute

import hutong
from hutong.web.app import API
from hutong.web.i18n import CHINESE, translations
from hutong.web.portal.developers import TAGS

PACKAGE = Path(hutong.__file__).parent
STAGES = ("governance", "rights", "acquisition", "opening", "sharing", "insight", "passes", "trust")
DOINGS = frozenset(
    {
        *("verify_pass", "decide_level", "read_proof", "shown_pass", "held_pass", "print_pass"),
        *("wallet_text", "facts_to_carry", "matrix", "revocations", "key_acts", "public_latency", "readable_history"),
        *("declare", "preview"),
    }
)
"""What people do that is no action, because it changes nothing or stands in a module of its own."""

NOT_OVER_HTTP = {
    "sign_in": "a session is a browser's; a program sends a token",
    "sign_out": "a session is a browser's; a program ends its token",
}
NOT_ON_THE_COMMAND_LINE = {
    "answer_witness_request": "another node asks for it",
    "hear_revocation": "another node tells it",
    "exchange_code": "a phone does it",
    "upload_keys": "a phone does it",
    "file_request": "a partner's own act; the operator asks other nodes with `hutong request`",
    "withdraw_request": "the act of the party that asked, here",
    "deliver": "the recipient asks for it: `hutong deliver`",
    "shown_pass": "`hutong pass disclose` does it from the text alone, without a node",
    "held_pass": "the holder's own act: `hutong pass issue` and `renew` write the page and the wallet text",
    "facts_to_carry": "`hutong pass issue --fact` says which there are",
    "require_renewable": "`hutong pass renew` is given no token of another person that a refusal must come before",
    "read_proof": "`hutong log prove` writes a proof that was checked",
    "add_evidence": "the resident's own act",
}

Call = tuple[str, str]
"""Module and name of a function that a door calls."""


@cache
def calls(door: str) -> frozenset[Call]:
    """What the modules of a door call of the stages."""
    return frozenset(call for path in sorted((PACKAGE / door).rglob("*.py")) for call in _calls(_read(path)))


def doings(door: str) -> set[str]:
    return {name for module, name in calls(door) if _is_doing(module, name)}


def _is_doing(module: str, name: str) -> bool:
    is_action = "actions" in module.rpartition(".")[2] and name.islower()
    return is_action or name in DOINGS


@cache
def _read(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def _calls(tree: ast.AST, imported: dict[str, str] | None = None) -> Iterator[Call]:
    known = _imports(tree) if imported is None else imported
    for node in ast.walk(tree):
        # A function that is handed over to be called counts as well.
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in known:
            yield known[node.value.id], node.attr
        elif isinstance(node, ast.Name) and node.id in known:
            module, _, name = known[node.id].rpartition(".")
            yield module, name


def _imports(tree: ast.AST) -> dict[str, str]:
    """Name in the module to what it stands for, of the stages only."""
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(_OURS)
        for alias in node.names
    }


_OURS = tuple(f"hutong.{stage}" for stage in STAGES)


def _forms() -> Iterator[tuple[str, set[Call]]]:
    """Each route that takes a form, and what it calls by itself or through functions of its module."""
    for path in sorted((PACKAGE / "web/portal").glob("*.py")):
        tree = _read(path)
        known = _imports(tree)
        functions = {one.name: one for one in tree.body if isinstance(one, ast.FunctionDef)}
        for name, function in functions.items():
            if any("router.post" in ast.unparse(decorator) for decorator in function.decorator_list):
                yield (
                    f"{path.stem}.{name}",
                    {call for reached in _reached(function, functions) for call in _calls(reached, known)},
                )


def _reached(function: ast.FunctionDef, functions: dict[str, ast.FunctionDef]) -> list[ast.FunctionDef]:
    found, waiting = {function.name: function}, [function]
    while waiting:
        for node in ast.walk(waiting.pop()):
            if isinstance(node, ast.Name) and node.id in functions and node.id not in found:
                found[node.id] = functions[node.id]
                waiting.append(functions[node.id])
    return list(found.values())


def test_every_form_does_something_that_these_tests_see() -> None:
    forms = dict(_forms())
    assert len(forms) >= 25
    blind = [name for name, called in forms.items() if not any(_is_doing(*call) for call in called)]
    assert blind == []


def test_what_a_page_does_an_operation_does_too() -> None:
    missing = doings("web/portal") - doings("web/api")
    assert missing == set(NOT_OVER_HTTP)


def test_what_an_operation_does_a_command_does_too() -> None:
    missing = doings("web/api") - doings("cli")
    assert missing == set(NOT_ON_THE_COMMAND_LINE)


def test_every_group_of_operations_has_a_title_in_both_languages() -> None:
    routes = [route for module in API for route in module.router.routes if isinstance(route, APIRoute)]
    tags = {str(tag) for route in routes for tag in route.tags}
    assert len(tags) >= 10
    assert tags <= set(TAGS)
    chinese = translations(CHINESE)
    assert [tag for tag in tags if chinese.gettext(TAGS[tag]) == TAGS[tag]] == []
