"""Commands about rules, most of which need no node: evaluate CertLogic, check a rulebook, run rule tests, publish."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hutong.cli.terminal import JsonOption, NodeOption, SecondOption, opened, read_bytes, show

if TYPE_CHECKING:
    from hutong.passes.rulebook.notice import Verdict

rules = typer.Typer(help="Rules in CertLogic, and rulebooks.", no_args_is_help=True)
MAX_BYTES = 16 * 2**20


def add_to(app: typer.Typer) -> None:
    app.add_typer(rules, name="rules")


@rules.command("evaluate")
def evaluate(
    rules_file: Annotated[Path, typer.Option("--rules", help="JSON: one CertLogic expression, a rule, or a list.")],
    data_file: Annotated[Path, typer.Option("--data", help="JSON: what the rules look at.")],
    at: Annotated[str | None, typer.Option(help="Validation clock (ISO 8601), for rules that read it.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Evaluate one CertLogic expression or a set of rules, without a node."""
    from hutong.passes.certlogic.rule_set import evaluate_document

    outcome = evaluate_document(_json(rules_file, "rules"), _json(data_file, "data"), at=at)
    lines = [f"{one.get('id') or 'expression'}: {one.get('value', one.get('error'))}" for one in outcome["results"]]
    show(as_json, outcome, *lines)


@rules.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="Rulebook (YAML or JSON).")],
    after: Annotated[
        Path | None, typer.Option(help="The version before it: says whether anybody's level may rise.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a rulebook: its texts, its CertLogic, its end date, and the tests that ship with it."""
    from hutong.passes.documents import read_document
    from hutong.passes.rulebook.notice import compare
    from hutong.passes.rulebook.rulebook import parse_rulebook

    checked = parse_rulebook(read_document(file))
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
        },
        *(f"FAILED {t.rule_set} {t.rule} {t.test}: {t.error or f'got {t.got!r}'}" for t in failures[:50]),
        f"{result.passed} passed, {result.failed} failed",
    )
    if failures:
        sys.exit(1)


@rules.command("publish")
def publish(
    file: Annotated[Path, typer.Argument(help="Rulebook (YAML or JSON).")],
    second_token: SecondOption,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish a rulebook; two persons are needed. What may raise anybody's level holds after its notice only."""
    from hutong.governance import queries as governance
    from hutong.passes.documents import read_document
    from hutong.passes.rulebook import actions as rulebook_actions
    from hutong.passes.rulebook import queries as rulebook_queries

    with opened(node) as opened_node:
        published = rulebook_actions.publish_rulebook(
            opened_node,
            by=opened_node.operator,
            second=governance.token_actor(opened_node, second_token),
            document=read_document(file),
        )
        kept = rulebook_queries.published_rulebook(opened_node, published.id, published.version)
    show(
        as_json,
        {
            "id": published.id,
            "version": published.version,
            "hash": published.hash,
            "effective_from": kept.effective_from.isoformat(),
            "verdict": kept.verdict.document(),
        },
        f"Published {published.id} {published.version}; it holds from {kept.effective_from:%Y-%m-%d %H:%M} UTC.",
        _told(kept.verdict),
    )


@rules.command("crosswalk")
def crosswalk(
    file: Annotated[Path, typer.Argument(help="Crosswalk (YAML or JSON): how a rulebook's levels read elsewhere.")],
    second_token: SecondOption,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish how the levels of a rulebook read on the common scale, for other regions."""
    from hutong.governance import queries as governance
    from hutong.passes.documents import read_document
    from hutong.passes.recognition import actions as recognition_actions

    with opened(node) as opened_node:
        published = recognition_actions.publish_crosswalk(
            opened_node,
            by=opened_node.operator,
            second=governance.token_actor(opened_node, second_token),
            document=read_document(file),
        )
    show(
        as_json,
        {"id": published.id, "version": published.version, "rulebook": published.rulebook, "hash": published.hash},
        f"Published the crosswalk {published.id} {published.version} for {published.rulebook}.",
    )


@rules.command("scenes")
def scenes(
    file: Annotated[Path, typer.Argument(help="Acceptance rules (YAML or JSON), by scene.")],
    second_token: SecondOption,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish which passes are accepted at which scene."""
    from hutong.governance import queries as governance
    from hutong.passes.documents import read_document
    from hutong.passes.recognition import actions as recognition_actions

    with opened(node) as opened_node:
        published = recognition_actions.publish_acceptance(
            opened_node,
            by=opened_node.operator,
            second=governance.token_actor(opened_node, second_token),
            document=read_document(file),
        )
    told = sorted(str(scene) for scene in published.scenes)
    show(
        as_json,
        {"id": published.id, "version": published.version, "scenes": told, "hash": published.hash},
        f"Published the rules {published.id} {published.version} for {', '.join(told)}.",
    )


def _told(verdict: Verdict) -> str:
    """Why a version holds at once or not, in a line."""
    if verdict.new_level:
        facts = ", ".join(f"{name}={value}" for name, value in verdict.facts.items()) or "nothing known"
        return f"{verdict.effect}: with {facts} the level is {verdict.new_level} and was {verdict.old_level}."
    shown = f" ({verdict.cases:,} mixes of evidence)" if verdict.cases else ""
    return f"{verdict.effect}: {str(verdict.because).replace('-', ' ')}{shown}."


def _json(file: Path, what: str) -> Any:
    import orjson

    from hutong.errors import BadInput

    try:
        return orjson.loads(read_bytes(file, what, max_bytes=MAX_BYTES).removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise BadInput(f"{file} is no JSON: {error}.", "Correct the file.") from error
