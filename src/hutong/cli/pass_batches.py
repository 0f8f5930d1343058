"""Commands that issue many passes, or renew one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from hutong.cli.keys import keys
from hutong.cli.terminal import JsonOption, NodeOption, opened, progress, read_text, require_place, show

if TYPE_CHECKING:
    from hutong.passes.issuance.batch_actions import BatchPass, IssuedBatch

MAX_LIST_BYTES = 16 * 2**20
FileArgument = Annotated[Path, typer.Argument(help="Where to write the passes, one JSON object a line.")]
PicturesOption = Annotated[
    Path | None, typer.Option(help="A folder for the QR codes, one PNG file for each pass, named by its number.")
]
FactOption = Annotated[
    list[str] | None,
    typer.Option(help="Further fact that it carries, sealed until shown: 17 bytes each. May be given again."),
]


def add_to(passes: typer.Typer) -> None:
    passes.command("renew")(renew)
    passes.command("batch")(batch)


def renew(
    pass_id: Annotated[str, typer.Argument(help="Number of the pass.")],
    hours: Annotated[
        int, typer.Option(min=1, max=168, help="It ends at the end (UTC) of the day in which these hours end.")
    ] = 24,
    second_token: Annotated[
        str | None, typer.Option(help="API token of a second person: the old pass is then revoked, too.")
    ] = None,
    fact: FactOption = None,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Issue a new pass in place of one, for the same person, with the level of today."""
    from hutong.governance import queries as governance
    from hutong.passes.issuance import renewal_actions

    with opened(node) as opened_node:
        agrees = governance.token_actor(opened_node, second_token) if second_token else None
        issued = renewal_actions.renew_pass(
            opened_node, by=opened_node.operator, pass_id=pass_id, hours=hours, second=agrees, facts=fact or ()
        )
    show(
        as_json,
        {
            "text": issued.text,
            "pass_id": issued.pass_id,
            "holder_secret": issued.holder_secret,
            "renews": pass_id,
            "revoked": agrees is not None,
            "level": issued.level,
            "expires_at": issued.expires_at.isoformat(),
            "disclosures": dict(issued.disclosures),
        },
        issued.text,
        f"Level {issued.level}, until {issued.expires_at:%Y-%m-%d %H:%M} UTC",
        f"  proof of the holder, shown this once: {issued.holder_secret}",
        *(f"  shows {name}, told this once: {text}" for name, text in issued.disclosures.items()),
    )


def batch(
    persons: Annotated[Path, typer.Argument(help="File with residents' numbers, one a line.")],
    out: FileArgument,
    hours: Annotated[
        int, typer.Option(min=1, max=168, help="They end at the end (UTC) of the day in which these hours end.")
    ] = 24,
    pictures: PicturesOption = None,
    fact: FactOption = None,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Issue a pass for each resident in a file. The result holds secrets: hand them over, then delete it."""
    from hutong.passes.issuance import batch_actions

    require_place(out, folder=pictures)
    named = [line.strip() for line in read_text(persons, "list", max_bytes=MAX_LIST_BYTES).splitlines()]
    with opened(node) as opened_node, progress("Issuing passes", quiet=as_json):
        issued = batch_actions.issue_batch(
            opened_node,
            by=opened_node.operator,
            persons=[line for line in named if line],
            hours=hours,
            facts=fact or (),
        )
    _keep(issued, out, pictures, as_json)


MADE_FROM_OTHERS = "that were made from passes of other regions stay ended: the node knows nobody to issue them to."


@keys.command("reissue")
def reissue(
    key_id: Annotated[str, typer.Argument(help="Id of the compromised key.")],
    out: FileArgument,
    pictures: PicturesOption = None,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Issue again the passes that a compromised key had signed and that were valid, signed by the new key."""
    from hutong.passes.issuance import batch_actions

    require_place(out, folder=pictures)
    with opened(node) as opened_node, progress("Issuing passes again", quiet=as_json):
        issued = batch_actions.reissue_passes(opened_node, by=opened_node.operator, key_id=key_id)
    _keep(issued, out, pictures, as_json)


def _keep(issued: IssuedBatch, out: Path, pictures: Path | None, as_json: bool) -> None:
    # For the owner only, from its first byte on: it holds the holders' secrets.
    out.unlink(missing_ok=True)
    out.touch(mode=0o600)
    out.write_bytes(b"".join(orjson.dumps(one.document()) + b"\n" for one in issued.passes))
    if pictures is not None:
        _draw(issued.passes, pictures)
    show(
        as_json,
        {
            "issued": len(issued.passes),
            "left": issued.left,
            "converted": issued.converted,
            "repeated": issued.repeated,
            "refused": [{"person": person, "why": why} for person, why in issued.refused],
            "file": str(out),
            "pictures": str(pictures) if pictures else None,
        },
        f"{len(issued.passes):,} passes issued, {len(issued.refused):,} refused; written to {out}.",
        *(f"  {person}: {why}" for person, why in issued.refused[:20]),
        *([f"{issued.repeated:,} lines name somebody again; each person gets one pass."] if issued.repeated else []),
        *([f"{issued.left:,} more wait: give the command again, with another file."] if issued.left else []),
        *([f"{issued.converted:,} {MADE_FROM_OTHERS}"] if issued.converted else []),
    )


def _draw(passes: Iterable[BatchPass], folder: Path) -> None:
    from hutong.passes.credential.picture import draw_png

    folder.mkdir(parents=True, exist_ok=True)
    for one in passes:
        (folder / f"{one.pass_id}.png").write_bytes(draw_png(one.text))
