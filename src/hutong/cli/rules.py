"""Commands about rules, most of which need no node: evaluate CertLogic, check a rulebook, run rule tests, publish."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hutong.cli.terminal import JsonOption, NodeOption, SecondOption, opened, progress, read_bytes, show

if TYPE_CHECKING:
    from hutong.passes.draft.draft import Draft, Kind
    from hutong.passes.rulebook.notice import Verdict

rules = typer.Typer(help="Rules in CertLogic, and rulebooks.", no_args_is_help=True)
MAX_BYTES = 16 * 2**20
KindOption = Annotated[str, typer.Option(help="What it is: rulebook, crosswalk or scenes.")]


def add_to(app: typer.Typer) -> None:
    app.add_typer(rules, name="rules")


@rules.command("evaluate")
def evaluate(
    rules_file: Annotated[
        Path, typer.Option("--rules", help="One CertLogic expression, a rule, a list, a rulebook or scenes.")
    ],
    data_file: Annotated[Path, typer.Option("--data", help="JSON: what the rules look at.")],
    at: Annotated[
        str | None, typer.Option(help="Validation clock (ISO 8601); EU rules not valid at it are left out.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Evaluate an expression, a set of rules or a rulebook (its level, too), without a node; 1 when a rule can't be."""
    from hutong.passes.certlogic.rule_set import evaluate_document

    document, data = _rules(rules_file), _json(data_file, "data")
    outcome = evaluate_document(document, data, at=at)
    unnamed = "expression" if "value" in outcome else "unnamed rule"
    lines = []
    for one in outcome["results"]:
        name = " ".join(filter(None, (one.get("scene"), one.get("id") or unnamed)))
        lines.append(f"{name}: {one.get('value', one.get('error'))}")
    lines += [f"{one['id'] or unnamed}: left out, {one['reason']}" for one in outcome.get("left_out", ())]
    if isinstance(document, dict) and document.keys() >= {"levels", "evidence", "rules"}:
        level = _level(document, data)
        outcome |= level
        lines.append(f"level: {level['level']}")
    show(as_json, outcome, *lines)
    if any("error" in one for one in outcome["results"]):
        sys.exit(1)


@rules.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="Rulebook (YAML or JSON).")],
    after: Annotated[
        Path | None, typer.Option(help="The version before it: says whether anybody's level may rise.")
    ] = None,
    language: Annotated[
        list[str] | None, typer.Option(help="A language of the node besides en and zh; may be repeated.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a rulebook: its texts, its CertLogic (that it runs over a population, too), its end, and its own tests."""
    from hutong.passes.documents import read_document
    from hutong.passes.level.population import require_compilable
    from hutong.passes.rulebook.notice import compare
    from hutong.passes.rulebook.rulebook import parse_rulebook
    from hutong.standard.element import LANGUAGES

    checked = parse_rulebook(read_document(file), languages=(*LANGUAGES, *(language or ())))
    require_compilable(checked)
    verdict = compare(parse_rulebook(read_document(after)), checked) if after else None
    show(
        as_json,
        {
            "id": checked.id,
            "version": checked.version,
            "hash": checked.hash,
            "rules": len(checked.rules),
            "notice_hours": checked.notice_hours,
            "verdict": verdict.document() if verdict else None,
        },
        f"{checked.id} {checked.version} is well made: {len(checked.rules)} rules, {len(checked.tests)} tests passed.",
        f"hash {checked.hash}",
        *([_told(verdict)] if verdict else []),
    )


@rules.command("test")
def test(
    folder: Annotated[Path, typer.Argument(help="Folder of rules with their tests, or one file of a merged set.")],
    as_json: JsonOption = False,
) -> None:
    """Run the tests of a folder of rules; exits with 1 when one fails."""
    from hutong.passes.certlogic.suite import run_rule_tests

    result = run_rule_tests(folder)
    failures = [test for test in result.tests if not test.passed]
    show(
        as_json,
        {
            "passed": result.passed,
            "failed": result.failed,
            "tests": [
                {
                    "rule_set": t.rule_set,
                    "rule": t.rule,
                    "test": t.test,
                    "passed": t.passed,
                    "expected": t.expected,
                    "got": t.got,
                    "error": t.error,
                }
                for t in result.tests
            ],
            "untested": [{"rule_set": one.rule_set, "rule": one.rule} for one in result.untested],
        },
        *(f"FAILED {t.rule_set} {t.rule} {t.test}: {t.error or f'got {t.got!r}'}" for t in failures[:50]),
        *(f"NO TEST {one.rule_set} {one.rule}" for one in result.untested[:50]),
        f"{result.passed} passed, {result.failed} failed",
    )
    if failures:
        sys.exit(1)


@rules.command("preview")
def preview(
    file: Annotated[Path, typer.Argument(help="Rulebook, crosswalk or scenes (YAML or JSON).")],
    kind: KindOption = "rulebook",
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """What the node would say to a publication: whole or not, what it changes, from when it would hold."""
    from hutong.passes.documents import read_document
    from hutong.passes.draft import actions

    with opened(node) as opened_node, progress("Comparing with the rules in force", quiet=as_json):
        draft = actions.check_draft(
            opened_node, by=opened_node.operator, kind=_kind(kind), document=read_document(file)
        )
    _show_draft(as_json, draft, f"Would publish {draft.id} {draft.version};")


@rules.command("publish")
def publish(
    file: Annotated[Path, typer.Argument(help="Rulebook (YAML or JSON).")],
    second_token: SecondOption,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish a rulebook; two persons are needed. What may raise anybody's level holds after its notice only."""
    _publish("rulebook", file, second_token, node, as_json)


@rules.command("crosswalk")
def crosswalk(
    file: Annotated[Path, typer.Argument(help="Crosswalk (YAML or JSON): how a rulebook's levels read elsewhere.")],
    second_token: SecondOption,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish how the levels of a rulebook read on the common scale, for other regions."""
    _publish("crosswalk", file, second_token, node, as_json)


@rules.command("scenes")
def scenes(
    file: Annotated[Path, typer.Argument(help="Acceptance rules (YAML or JSON), by scene.")],
    second_token: SecondOption,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish which passes are accepted at which scene."""
    _publish("scenes", file, second_token, node, as_json)


@rules.command("list")
def list_rules(node: NodeOption = None, as_json: JsonOption = False) -> None:
    """The newest version of each rulebook, crosswalk and set of scenes that this node published."""
    from hutong.passes.draft import queries

    with opened(node) as opened_node:
        found = queries.newest_documents(opened_node)
    show(
        as_json,
        [{"kind": str(one.kind), "id": one.id, "version": one.version, "hash": one.hash} for one in found],
        *(f"{one.kind:10} {one.id} {one.version}" for one in found),
    )


@rules.command("try")
def try_rulebook(
    rulebook: Annotated[str, typer.Argument(help="Id of a published rulebook.")],
    facts_file: Annotated[Path, typer.Option("--facts", help="JSON: facts by the names that the rulebook declares.")],
    version: Annotated[str | None, typer.Option(help="By default the one that holds.")] = None,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Which level the rules give for facts about nobody in particular, and which rule fires."""
    from hutong.errors import BadInput
    from hutong.passes.rulebook import queries
    from hutong.passes.rulebook.rulebook import decide_level

    facts = _json(facts_file, "facts")
    if not isinstance(facts, dict):
        raise BadInput(f"{facts_file} holds no facts.", "Give names and values.")
    with opened(node) as opened_node:
        found = decide_level(queries.rulebook(opened_node, rulebook, version), facts)
    reasons = [{"rule_id": one.rule_id, "text": dict(one.texts)} for one in found.reasons]
    show(
        as_json,
        {"rulebook": found.rulebook_id, "version": found.version, "level": found.level, "reasons": reasons},
        found.level,
        *(f"  {one.rule_id}: {one.texts.get('en', '')}" for one in found.reasons),
    )


@rules.command("latency")
def latency(
    rulebook: Annotated[str, typer.Argument(help="Id of a published rulebook.")],
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """How long levels took to follow new evidence, as it is public."""
    from hutong.passes.level import queries as level_queries
    from hutong.passes.rulebook import queries

    with opened(node) as opened_node:
        queries.rulebook(opened_node, rulebook)
        found = level_queries.public_latency(opened_node, rulebook)
    told = f"Not told: fewer than {level_queries.WITHHELD_BELOW} levels have changed by new evidence."
    if found is not None and found.median_seconds is not None and found.p95_seconds is not None:
        told = (
            f"{found.changes:,} changes: half within {found.median_seconds:.1f} s, 95 % in {found.p95_seconds:.1f} s."
        )
    show(
        as_json,
        {
            "changes": found.changes if found else None,
            "median_seconds": found.median_seconds if found else None,
            "p95_seconds": found.p95_seconds if found else None,
        },
        told,
    )


def _publish(kind: str, file: Path, second_token: str, node: Path | None, as_json: bool) -> None:
    from hutong.governance import queries as governance
    from hutong.passes.documents import read_document
    from hutong.passes.draft import actions

    with opened(node) as opened_node:
        draft = actions.publish_draft(
            opened_node,
            by=opened_node.operator,
            second=governance.token_actor(opened_node, second_token),
            kind=_kind(kind),
            document=read_document(file),
        )
    _show_draft(as_json, draft, f"Published {draft.id} {draft.version};")


def _kind(given: str) -> Kind:
    from hutong.errors import BadInput
    from hutong.passes.draft.draft import Kind

    if given not in tuple(Kind):
        raise BadInput(f"There is no kind {given[:40]!r} of rules.", f"Use one of: {', '.join(Kind)}.")
    return Kind(given)


def _show_draft(as_json: bool, draft: Draft, done: str) -> None:
    show(
        as_json,
        {
            "kind": str(draft.kind),
            "id": draft.id,
            "version": draft.version,
            "hash": draft.hash,
            "about": draft.about,
            "effective_from": draft.effective_from.isoformat(),
            "rules": [{"id": one.id, "gives": one.gives, "text": dict(one.texts)} for one in draft.lines],
            "verdict": draft.verdict.document() if draft.verdict else None,
        },
        f"{done} it holds from {draft.effective_from:%Y-%m-%d %H:%M} UTC.",
        *([_told(draft.verdict)] if draft.verdict else []),
        *(f"  {one.id} ({one.gives}): {one.texts.get('en', '')}" for one in draft.lines),
    )


def _told(verdict: Verdict) -> str:
    """Why a version holds at once or not, in a line."""
    if verdict.new_level:
        facts = ", ".join(f"{name}={value}" for name, value in verdict.facts.items()) or "nothing known"
        return f"{verdict.effect}: with {facts} the level is {verdict.new_level} and was {verdict.old_level}."
    shown = f" ({verdict.cases:,} mixes of evidence)" if verdict.cases else ""
    return f"{verdict.effect}: {str(verdict.because).replace('-', ' ')}{shown}."


def _level(document: dict[str, Any], data: Any) -> dict[str, Any]:
    from hutong.errors import BadInput
    from hutong.passes.rulebook.rulebook import decide_level, parse_rulebook

    if not isinstance(data, dict):
        raise BadInput("The data hold no facts.", "Give names and values, as the rulebook declares them.")
    found = decide_level(parse_rulebook(document), data)
    return {
        "rulebook": found.rulebook_id,
        "version": found.version,
        "level": found.level,
        "rule_ids": list(found.rule_ids),
        "reasons": [{"rule_id": one.rule_id, "text": dict(one.texts)} for one in found.reasons],
    }


def _rules(file: Path) -> Any:
    """What a file of rules holds: JSON of any form, or the YAML of a rulebook or of scenes."""
    from hutong.passes.documents import read_document

    return read_document(file) if file.suffix in {".yaml", ".yml"} else _json(file, "rules")


def _json(file: Path, what: str) -> Any:
    import orjson

    from hutong.errors import BadInput

    try:
        return orjson.loads(read_bytes(file, what, max_bytes=MAX_BYTES).removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise BadInput(f"{file} is no JSON: {error}.", "Correct the file.") from error
