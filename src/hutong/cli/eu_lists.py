"""Commands that put the EU's lists into a node's trust bundle: revocations, and the keys of signers."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hutong.cli.governance import trust
from hutong.cli.terminal import JsonOption, NodeOption, opened, read_bytes, show
from hutong.errors import BadInput

if TYPE_CHECKING:
    from hutong.passes.credential.dsc_list import DscList
    from hutong.passes.credential.keys import VerificationKey

TOLD = 5


@trust.command("import-keys")
def import_keys(
    file: Annotated[list[Path], typer.Argument(help="The gateway's trust list, or a national service's list of keys.")],
    authority: Annotated[
        list[Path] | None, typer.Option(help="Certificates of country signing authorities (CSCA), PEM or DER.")
    ] = None,
    signer: Annotated[Path | None, typer.Option(help="Certificate or key of who signs the list itself.")] = None,
    country: Annotated[str, typer.Option(help="Of keys of which the list does not say it (ISO 3166-1, DE).")] = "",
    days: Annotated[int, typer.Option(help="How long the keys are trusted without a newer list; at most 366.")] = 30,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Trust the signers of EU certificates that a list names, in the place of those that are held.

    It says what was checked of each key, what was not, and which keys can't be used.
    """
    from hutong.passes.credential import dsc_list
    from hutong.passes.credential.certificates import split_pem
    from hutong.passes.trust_bundle import eu_actions

    if country and not (len(country) == 2 and country.isascii() and country.isalpha()):
        raise BadInput(f"There is no country {country[:20]!r}.", "Give two letters of ISO 3166-1, such as DE.")
    authorities: list[bytes | str] = []
    for path in authority or ():
        content = read_bytes(path, "certificate", max_bytes=2**20)
        authorities += [content] if content[:1] == b"\x30" else split_pem(content.decode("ascii", "replace"))
    found = dsc_list.read(
        [read_bytes(path, "list of keys", max_bytes=dsc_list.MAX_BYTES) for path in file],
        authorities=authorities,
        signer=_signer(signer) if signer is not None else None,
        country=country.upper(),
    )
    with opened(node) as opened_node:
        held = eu_actions.import_keys(opened_node, by=opened_node.operator, signers=found.signers, days=days)
        now = opened_node.clock()
    ended = sum(one.ends_at is not None and one.ends_at <= now for one in found.signers)
    told = {
        "keys": held.keys,
        "by_country": held.by_country,
        "valid_until": held.valid_until.isoformat(),
        "ended": ended,
        "chained": sum(one.is_chained is True for one in found.signers),
        "list_signature_checked": found.is_signature_checked,
        "not_checked": _not_checked(found),
        "skipped": [{"key": name, "why": why} for name, why in found.skipped],
    }
    named = [f"{name}: {why}" for name, why in found.skipped]
    show(
        as_json,
        told,
        f"Trusts {held.keys:,} keys of {len(held.by_country)} countries until {held.valid_until:%Y-%m-%d}: "
        + ", ".join(f"{place} {number}" for place, number in held.by_country.items()),
        *([f"The certificates of {ended:,} of them have ended: what they signed is refused."] if ended else []),
        *(f"Not checked: {what}" for what in _not_checked(found)),
        *([f"{len(named):,} can't be used:", *named[:TOLD], *(["…"] if len(named) > TOLD else [])] if named else []),
    )


def _signer(path: Path) -> VerificationKey:
    from hutong.passes.credential.keys import KeyRing

    keys = KeyRing.of(path).keys
    if len(keys) != 1:
        raise BadInput(f"{path} does not hold exactly one key.", "Give the key of who signs the list.")
    return keys[0]


def _not_checked(found: DscList) -> list[str]:
    bare = sum(not one.is_certificate for one in found.signers)
    unchained = sum(one.is_certificate and one.is_chained is None for one in found.signers)
    told = {
        "The signature of the list itself: give --signer.": not found.is_signature_checked,
        "Signatures of countries over their entries, which are CMS: openssl cms can.": found.has_entry_signatures,
        f"Key id and validity of {bare:,} keys, which come without a certificate.": bare,
        f"Who signed the certificates of {unchained:,} keys: give --authority for their countries.": unchained,
    }
    return [what for what, holds in told.items() if holds]


@trust.command("drop-keys")
def drop_keys(node: NodeOption = None, as_json: JsonOption = False) -> None:
    """Trust the imported signers of EU certificates no more."""
    from hutong.passes.trust_bundle import eu_actions

    with opened(node) as opened_node:
        eu_actions.drop_keys(opened_node, by=opened_node.operator)
    show(as_json, {"dropped": True}, "The imported keys of EU signers are trusted no more.")


@trust.command("import-revocations")
def import_revocations(
    lists: Annotated[Path, typer.Argument(help="File or folder, as hutong pass read --revocations takes it.")],
    as_of: Annotated[str, typer.Option(help="When they were fetched (ISO 8601); now without it.")] = "",
    max_age_hours: Annotated[
        int, typer.Option(help="Older than this, EU certificates on none of them are unknown; at most 168.")
    ] = 48,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put the EU's revocation lists into this node's trust bundle, in the place of those that are held.

    Their signatures are not checked: partitions have none; check those of batches before, with openssl cms.
    """
    from hutong.passes.credential.dcc_revocation import RevocationLists
    from hutong.passes.moment import moment
    from hutong.passes.trust_bundle import eu_actions

    read = RevocationLists.load(lists)
    with opened(node) as opened_node:
        held = eu_actions.import_revocations(
            opened_node,
            by=opened_node.operator,
            lists=read,
            as_of=moment(as_of) if as_of else None,
            max_age_hours=max_age_hours,
        )
    show(
        as_json,
        {**asdict(held), "signatures_checked": False},
        f"Took over {held.hashes:,} hashes and {held.slices:,} slices for {held.keys:,} keys, good until "
        f"{held.good_until:%Y-%m-%d %H:%M} UTC. Their signatures were not checked.",
        *([f"Of {held.incomplete:,} keys a slice is missing: their certificates are unknown."] * bool(held.incomplete)),
    )


@trust.command("drop-revocations")
def drop_revocations(node: NodeOption = None, as_json: JsonOption = False) -> None:
    """Take the EU's revocation lists out of this node's trust bundle; no EU certificate is refused by them any more."""
    from hutong.passes.trust_bundle import eu_actions

    with opened(node) as opened_node:
        eu_actions.drop_revocations(opened_node, by=opened_node.operator)
    show(as_json, {"dropped": True}, "The EU's revocation lists are not in the trust bundle any more.")
