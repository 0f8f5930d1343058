"""Commands about passes. Reading and verifying need no node."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hutong.cli import eu_lists, pass_batches, trust_bundles  # noqa: F401 - they add their commands to hutong trust
from hutong.cli.pass_batches import FactOption
from hutong.cli.terminal import JsonOption, NodeOption, SecondOption, opened, read_bytes, require_place, show
from hutong.errors import BadInput
from hutong.passes.recognition.recognition import Scene

if TYPE_CHECKING:
    from hutong.passes.credential.read import ReadPass

passes = typer.Typer(name="pass", help="Issue, read, verify and revoke passes.", no_args_is_help=True)
MARKS = {"accepted": "● accepted", "refused": "■ refused", "unknown": "? unknown"}
MAX_PATH = 4096
_SCHEME = re.compile(r"[A-Za-z][\w+.-]+:|\{")  # HC1:, shc:/, https:, and JSON; a drive has one letter
RevocationsOption = Annotated[
    Path | None,
    typer.Option(help="Revocation lists of the EU DCC: batches, or partitions with their slices; file or folder."),
]
_PATHS = ("/", "./", "../", "~/")
# A name with an ending, or with a folder, and without blanks. No text of a pass is one: only a JWS has no scheme.
_NAME = re.compile(r"(?!ey[\w-]+\.)(?:[^\s/]+\.(?=\d*[A-Za-z])[A-Za-z\d]{1,10}|\S*/\S*)", re.ASCII)
_SUFFIXES = frozenset(
    (".txt", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg", ".pdf", ".json", ".jws", ".smart-health-card")
)


def add_to(app: typer.Typer) -> None:
    pass_batches.add_to(passes)
    app.add_typer(passes, name="pass")


@passes.command("issue")
def issue(
    person: Annotated[str, typer.Argument(help="The resident's number, or the pseudonym.")],
    hours: Annotated[
        int, typer.Option(min=1, max=168, help="It ends at the end (UTC) of the day in which these hours end.")
    ] = 24,
    picture: Annotated[Path | None, typer.Option(help="Write the QR code here: .png or .svg.")] = None,
    pdf: Annotated[Path | None, typer.Option(help="Write a page to print here: English and Chinese.")] = None,
    wallet: Annotated[Path | None, typer.Option(help="Write a plain text for a wallet here.")] = None,
    fact: FactOption = None,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Issue a pass with the level that was decided last."""
    from hutong.passes.issuance import actions as pass_actions
    from hutong.passes.issuance import printable
    from hutong.passes.issuance import queries as pass_queries

    _require_picture(picture)
    require_place(pdf, wallet)
    with opened(node) as opened_node:
        issued = pass_actions.issue_pass(
            opened_node, by=opened_node.operator, person=person, hours=hours, facts=fact or ()
        )
        ended = pass_queries.ended_passes(opened_node, opened_node.operator, person)
        issuer = opened_node.settings.name
    notes = [
        f"  note: the pass {one.pass_id} (level {one.level}) was ended at {one.ended_at:%Y-%m-%d %H:%M} UTC, "
        "since the level has changed."
        for one in ended
    ]
    if pdf is not None:
        printed = printable.print_pass(issued, issuer=issuer)
        pdf.write_bytes(printed.pdf)
        if not printed.chinese:
            notes.append("  note: this machine has no Chinese font (fonts-noto-cjk); the page is in English only.")
    if wallet is not None:
        wallet.write_text(printable.wallet_text(issued, issuer=issuer), encoding="utf-8")
    if picture is not None:
        picture.write_bytes(issued.qr_svg().encode() if _is_svg(picture) else issued.qr_png())
    show(
        as_json,
        {
            "text": issued.text,
            "pass_id": issued.pass_id,
            "holder_secret": issued.holder_secret,
            "level": issued.level,
            "rulebook": f"{issued.rulebook}@{issued.version}",
            "reasons": [{"rule_id": reason.rule_id, "text": dict(reason.texts)} for reason in issued.reasons],
            "evidence_dates": dict(issued.evidence_dates),
            "expires_at": issued.expires_at.isoformat(),
            "picture": str(picture) if picture else None,
            "pdf": str(pdf) if pdf else None,
            "pdf_in_chinese": printed.chinese if pdf else None,
            "wallet": str(wallet) if wallet else None,
            "disclosures": dict(issued.disclosures),
            "ended_passes": [one.pass_id for one in ended],
        },
        issued.text,
        f"Level {issued.level} by {issued.rulebook} {issued.version}, until {issued.expires_at:%Y-%m-%d %H:%M} UTC",
        *(f"  because: {reason.texts['en']} [{reason.rule_id}]" for reason in issued.reasons),
        f"  proof of the holder, shown this once: {issued.holder_secret}",
        *(f"  shows {name}, told this once: {disclosure}" for name, disclosure in issued.disclosures.items()),
        *notes,
    )


@passes.command("disclose")
def disclose(
    what: Annotated[str, typer.Argument(help="The text of a pass, or a file with it: text or picture.")],
    disclosure: Annotated[
        list[str], typer.Option(help="What shows one fact, as the issue told it; may be given again.")
    ],
    picture: Annotated[Path | None, typer.Option(help="Write the QR code here: .png or .svg.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Make the text that shows chosen facts of a pass, and no others. Needs no node."""
    from hutong.passes.credential import level_pass
    from hutong.passes.credential import picture as pictures
    from hutong.passes.credential.read import read_pass, text_of

    _require_picture(picture)
    shown = level_pass.disclose(text_of(_given(what)).strip(), disclosure)
    found = read_pass(shown)
    if found.claims is None:
        raise BadInput("Only a pass of Hutong carries facts to disclose.", "Give the text that the issue told.")
    facts = found.payload["facts"]
    if picture is not None:
        drawn = pictures.draw_svg(shown).encode() if _is_svg(picture) else pictures.draw_png(shown)
        picture.write_bytes(drawn)
    result = {"text": shown, "facts": facts, "picture": str(picture) if picture else None}
    show(as_json, result, shown, *_disclosed(facts))


@passes.command("convert")
def convert(
    what: Annotated[str, typer.Argument(help="The other region's pass: its text, or a file with it: text or picture.")],
    secret: Annotated[str, typer.Option(help="The secret that its holder got with it, or a file with it.")],
    rulebook: Annotated[str, typer.Option(help="Rulebook of this node by whose levels the new pass is.")],
    hours: Annotated[
        int, typer.Option(min=1, max=168, help="It ends at the end (UTC) of the day in which these hours end.")
    ] = 24,
    picture: Annotated[Path | None, typer.Option(help="Write the QR code here: .png or .svg.")] = None,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Issue a pass of this node for a level that another region of the trust list gave."""
    from hutong.passes.recognition import conversion_actions

    _require_picture(picture)
    shown, said = _given(what), _given(secret)
    with opened(node) as opened_node:
        made = conversion_actions.convert_pass(
            opened_node,
            by=opened_node.operator,
            text=shown,
            holder_secret=(said if isinstance(said, str) else said.decode("ascii", errors="replace")).strip(),
            rulebook_id=rulebook,
            hours=hours,
        )
    if picture is not None:
        picture.write_bytes(made.qr_svg().encode() if _is_svg(picture) else made.qr_png())
    show(
        as_json,
        {
            "text": made.text,
            "pass_id": made.pass_id,
            "holder_secret": made.holder_secret,
            "level": made.level,
            "rulebook": f"{made.rulebook}@{made.version}",
            "origin": made.origin,
            "expires_at": made.expires_at.isoformat(),
            "picture": str(picture) if picture else None,
        },
        made.text,
        f"Level {made.level} by {made.rulebook} {made.version}, until {made.expires_at:%Y-%m-%d %H:%M} UTC",
        f"  from: {made.origin}",
        f"  proof of the holder: {made.holder_secret}",
    )


@passes.command("read")
def read(
    what: Annotated[
        list[str],
        typer.Argument(help="The text of a code, or a file with it: text or picture. Several for split cards."),
    ],
    key: Annotated[
        list[Path] | None,
        typer.Option(help="Key or certificate file (DER, PEM, base64, JWK), or a folder of them; may be given again."),
    ] = None,
    dcc: Annotated[
        Path | None,
        typer.Option(help="Folder of the EU's published schemas, <version>.json, and valueSets.json, to check with."),
    ] = None,
    revocations: RevocationsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read any pass offline: this system's, EU DCC, SMART Health Card, WHO."""
    from hutong.passes.credential.read import read_pass

    found = read_pass([_given(part) for part in what], keys=key or [], reference=dcc, revocations=revocations)
    state = {True: "valid", False: "does not fit", None: "not checked: no key fits"}[found.signature_valid]
    show(
        as_json,
        {
            "kind": found.kind,
            "payload": found.payload,
            "signature_valid": found.signature_valid,
            "issuer": found.issuer,
            "issued_at": found.issued_at.isoformat() if found.issued_at else None,
            "expires_at": found.expires_at.isoformat() if found.expires_at else None,
            "key_id": found.key_id,
            "revoked": found.revoked,
            "acceptable": found.acceptable,
            "problems": [{"code": one.code, "severity": one.severity, "what": one.what} for one in found.problems],
            "warnings": list(found.warnings),
        },
        f"{found.kind} by {found.issuer or 'nobody named'}; signature {state}",
        *(["■ revoked by its issuer"] if found.revoked else []),
        *(["on none of the revocation lists at hand"] if found.revoked is False else []),
        f"issued {found.issued_at or 'not said'}, expires {found.expires_at or 'not said'}",
        *(_disclosed(found.payload["facts"]) if found.claims else ()),
        *_judged(found),
        *(f"  note: {warning}" for warning in found.warnings if warning not in {one.what for one in found.problems}),
    )


def _judged(found: ReadPass) -> list[str]:
    """What its specification has against a SMART Health Card; nothing of other kinds."""
    if found.kind != "smart-health-card":
        return []
    state = {True: "acceptable", False: "not acceptable", None: "perhaps acceptable"}[found.acceptable]
    return [f"{state} by its specification", *(f"  {one.severity}: {one.what} [{one.code}]" for one in found.problems)]


@passes.command("verify")
def verify(
    what: Annotated[str, typer.Argument(help="The text of a code, or a file with it: text or picture.")],
    scene: Annotated[str, typer.Option(help=f"Where it is shown: {', '.join(Scene)}.")],
    trust: Annotated[Path | None, typer.Option(help="Trust bundle file; without it the node's own.")] = None,
    rules: Annotated[Path | None, typer.Option(help="Acceptance rules; without them the bundle's.")] = None,
    at: Annotated[
        str | None, typer.Option(help="Time of verification (ISO 8601, UTC where it names no zone); now without it.")
    ] = None,
    revocations: RevocationsOption = None,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verify a pass: accepted, refused or unknown, with the reasons. Exits with 0 whatever the answer is."""
    from hutong.passes.moment import moment
    from hutong.passes.recognition.verification import verify_pass
    from hutong.passes.trust_bundle import queries as bundle_queries

    judge = partial(
        verify_pass,
        _given(what),
        rules=rules,
        scene=scene,
        at=moment(at) if at is not None else datetime.now(UTC),
        revocations=revocations,
    )
    if trust is None:
        with opened(node) as opened_node:
            answer = judge(trust=bundle_queries.trust_snapshot(opened_node))
    else:
        answer = judge(trust=trust)
    lines = [f"{MARKS[str(answer.answer)]} at {scene[:40]}"]
    if scene not in tuple(Scene):
        lines.append(f"  There is no such scene; there are: {', '.join(Scene)}.")
    lines += [f"  {reason.texts['en']} [{reason.rule_id}]" for reason in answer.reasons]
    lines += _disclosed(answer.facts)
    lines.append(f"  trust list no. {answer.list_number}, {_age(answer.list_age_seconds)} old")
    if answer.status_age_seconds is not None:
        dated = answer.at - timedelta(seconds=answer.status_age_seconds)
        lines.append(f"  revocation list of the full hour {dated:%Y-%m-%d %H:%M} UTC")
    show(as_json, answer.document(), *lines)


@passes.command("revoke")
def revoke(
    pass_id: str,
    second_token: SecondOption,
    rule_id: Annotated[str, typer.Option("--rule", help="Rule under which it is revoked.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Revoke one pass; its siblings stay valid."""
    from hutong.governance import queries as governance
    from hutong.passes.issuance import actions as pass_actions

    with opened(node) as opened_node:
        pass_actions.revoke_pass(
            opened_node,
            by=opened_node.operator,
            second=governance.token_actor(opened_node, second_token),
            pass_id=pass_id,
            rule_id=rule_id,
            reason=reason,
        )
    show(as_json, {"revoked": pass_id}, f"Revoked {pass_id}.")


@passes.command("bundle")
def bundle(
    file: Annotated[Path, typer.Argument(help="Where to write the trust bundle for offline verifiers.")],
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the signed trust bundle that a verifier keeps."""
    import orjson

    from hutong.passes.trust_bundle import queries as bundle_queries

    require_place(file)
    with opened(node) as opened_node:
        content = bundle_queries.bundle_file(opened_node)
    file.write_bytes(orjson.dumps(content))
    show(as_json, {"file": str(file)}, f"Wrote {file}.")


def _age(seconds: int | None) -> str:
    """How old something is, in the largest unit of which there are two."""
    seconds = seconds or 0
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size:,} {unit}"
    return f"{seconds} seconds"


def _disclosed(facts: Mapping[str, object]) -> list[str]:
    """A line for each fact that a pass discloses."""
    return [f"  discloses {name}: {value}" for name, value in facts.items()]


def _require_picture(path: Path | None) -> None:
    """Refuse a place for a picture, or a name of another kind than are drawn, before anything is done."""
    require_place(path)
    if path is not None and path.suffix.lower() not in (".png", ".svg"):
        raise BadInput(f"{path} is no name of a picture.", "Give a name that ends in .png or .svg.")


def _is_svg(path: Path) -> bool:
    return path.suffix.lower() == ".svg"


def _given(what: str) -> str | bytes:
    """The text itself, or the content of the file that it names.

    Raises:
        NotFound, Unavailable, BadInput: it is the path of a file that isn't there, can't be read, or holds nothing.
    """
    if not _is_path(what):
        return what
    path = Path(what)
    if path.is_dir():
        raise BadInput(f"{path} is a folder.", "Give the path of a file.")
    from hutong.passes.credential.picture import MAX_PICTURE_BYTES

    content = read_bytes(path, "pass", max_bytes=MAX_PICTURE_BYTES)
    if not content.strip():
        raise BadInput(f"{path} is empty.", "Give a file with the text of a code, or a picture of it.")
    return content


def _is_path(what: str) -> bool:
    """Whether a path is meant, be it misspelt; any other text is a text, as a scanner may hand one on."""
    if not what.strip() or len(what) >= MAX_PATH or not what.isprintable():
        return False
    path = Path(what)
    try:
        if path.exists():
            return True
        in_a_folder = path.parent != Path() and path.parent.is_dir()
    except OSError:  # longer than a name may be
        return False
    is_like_one = what.startswith(_PATHS) or path.suffix.lower() in _SUFFIXES or _NAME.fullmatch(what)
    return bool(is_like_one or in_a_folder) and _SCHEME.match(what) is None
