"""The import contracts are whole: a new module is in one of their lists, or its reason to be in none is named here."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "hutong"
STAGES = ("passes", "insight", "sharing", "opening", "acquisition", "rights", "governance")
"""From the last to the first: each may import those after it."""
HELD = (*STAGES, "trust", "standard")
RULES = "Rules do no I/O: no database, network or web framework in them"
WIRING = "Only node.py wires"

PARTS_OF_A_NODE = frozenset(
    {"Records", "Lake", "DuckDBEngine", "SparkEngine", "open_engine", "KeyFolder", "create_keys", "Log", "Peers"}
)
"""What ``node.py`` alone makes."""
UNLOGGED = {
    "governance.actions": 6,  # witnesses, who signs in and out, assertions of parties
    "passes.appeal.correction_actions": 1,  # uses of a grant, which the resident sees
    "passes.exposure.actions": 2,  # codes and keys, whose times would tell on persons
    "passes.trust_bundle.actions": 1,  # a bundle in which only times are new
    "sharing.actions": 1,  # refused deliveries between those that are told
}
"""How many changes of a module may be no entry of the log; each says why where it is made."""
# Modules that are no actions and no queries, and yet read or write: why each is no rule.
NO_RULE = {
    "acquisition.declarations": "actions: declares sources, areas and mappings",
    "acquisition.held_content": "opens what is sealed with the keys of the node",
    "opening.release": "writes the files of a release",
    "passes.issuance.free_indexes": "draws free places of the node's status lists",
    "passes.issuance.held_pass": "reads what the node issued, for the holder who brings it back",
    "passes.issuance.own_lists": "signs and keeps the node's status lists",
    "passes.issuance.pass_facts": "reads what the node knows of a person, for the pass",
    "passes.issuance.told_passes": "compares the records of passes with the log",
    "passes.issuance.printable": "draws the page of an issued pass",
    "passes.level.planned": "the queries that an update runs, by name",
    "passes.powers": "what the emergencies in force allow",
    "passes.trust_bundle.asking": "runs what asks other nodes, in threads",
    "passes.trust_bundle.poller": "fetches bundles over HTTP",
    "rights.person": "finds a person's pseudonym in the vault",
    "rights.vault": "the only place with direct identifiers",
    "sharing.catalogue": "the catalogue of the node with what was harvested",
    "trust.log.foreign_proof": "keeps the proofs of other logs",
    "trust.log.journal": "the log in the records",
    "trust.peers": "talks to other nodes over HTTP",
}


@cache
def contracts() -> dict[str, dict[str, Any]]:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    return {one["name"]: one for one in listed}


def modules(part: str) -> list[str]:
    """Names of a part's modules below ``hutong``, without those that are empty but for a docstring."""
    paths = (path for path in (PACKAGE / part).rglob("*.py") if path.name != "__init__.py")
    return sorted(".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in paths)


def is_within(module: str, listed: str) -> bool:
    return f"hutong.{module}" == listed or f"hutong.{module}".startswith(f"{listed}.")


def named(module: str, word: str) -> bool:
    """Whether a module is one of "actions" or "queries" by its name: held_actions, actions_harvest."""
    return word in module.rsplit(".", 1)[-1].split("_")


def test_each_module_is_a_rule_or_says_why_not() -> None:
    rules = contracts()[RULES]["source_modules"]
    others = {
        module
        for part in HELD
        for module in modules(part)
        if not any(is_within(module, one) for one in rules) and not named(module, "actions")
        if not named(module, "queries")
    }
    assert others == set(NO_RULE)


def test_what_the_contracts_name_is_there() -> None:
    there = {f"hutong.{module}" for part in HELD for module in modules(part)}
    for one in contracts()[RULES]["source_modules"]:
        assert any(module == one or module.startswith(f"{one}.") for module in there), one


def test_each_stages_actions_are_forbidden_to_all_above_it() -> None:
    forbidden = {
        (source, target)
        for one in contracts().values()
        if one["type"] == "forbidden"
        for source in one["source_modules"]
        for target in one["forbidden_modules"]
    }
    missing = [
        (above, module)
        for place, stage in enumerate(STAGES)
        for module in modules(stage)
        if named(module, "actions") or NO_RULE.get(module, "").startswith("actions:")
        for above in STAGES[:place]
        if (f"hutong.{above}", f"hutong.{module}") not in forbidden
    ]
    assert missing == []


def test_nobody_but_the_node_wires() -> None:
    parts = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    sources = {one.removeprefix("hutong.") for one in contracts()[WIRING]["source_modules"]}
    assert sources == parts - {"storage", "trust", "standard"}


def calls(part: str) -> Iterator[tuple[str, str, ast.Call]]:
    """Each call in a part: its module, the last word of what is called, and the call."""
    for module in modules(part):
        tree = ast.parse((PACKAGE / f"{module.replace('.', '/')}.py").read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                yield module, node.func.id if isinstance(node.func, ast.Name) else node.func.attr, node


def test_nobody_but_the_node_makes_its_parts() -> None:
    parts = sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file())
    made = {
        (module, word)
        for part in parts
        for module, word, _ in calls(part)
        if word in PARTS_OF_A_NODE and module not in {"storage.engines", "storage.records", "storage.lake"}
    }
    assert made == set()


def test_records_are_written_by_changes_alone_and_those_without_an_event_are_few() -> None:
    """Which change tells the log is held to where it is made: ``Node.change`` refuses one that does not."""
    written, unlogged = set(), dict.fromkeys(UNLOGGED, 0)
    for part in {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}:
        for module, word, call in calls(part):
            if word == "writing":
                written.add(module)
            if word == "change" and any(given.arg == "unlogged" for given in call.keywords):
                unlogged[module] = unlogged.get(module, 0) + 1
    assert written == {"storage.inbox"}
    assert unlogged == UNLOGGED
