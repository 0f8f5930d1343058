"""What changed in a trust bundle since an edition: parts named by their hash, under one signature.

A bundle is made of parts (a party, a signed crosswalk, a signed status list, the acceptance rules). A delta names all
parts of the newest edition by SHA-256 and holds those that its reader can't have; the reader puts the bundle together
from these and its own. Whatever the sender guessed the reader to have, the result is the newest edition or an error.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hutong.errors import BadInput, Conflict, LimitExceeded, Tampered
from hutong.trust.signing import sign_document, verify_document

from . import envelope
from .envelope import LISTS, Payload, eu_lists_of, part_hash, with_eu_lists

KIND = "pass-bundle-delta"
MAX_PARTS = 50_000
HEAD = ("issuer", "number", "issued_at", "next_update", "max_age_hours")
BY_PARTY = ("crosswalks", "rulebooks", "ended", LISTS)


def parts_of(payload: Payload) -> dict[str, Any]:
    """All parts by their hash."""
    of_parties = [part for name in BY_PARTY for parts in payload.get(name, {}).values() for part in parts]
    rules = [] if payload["acceptance"] is None else [payload["acceptance"]]
    return {part_hash(part): part for part in (*payload["parties"], *of_parties, *rules, *eu_lists_of(payload))}


def make_delta(payload: Payload, *, since: int, held: Collection[str]) -> dict[str, Any]:
    """The delta from edition ``since``, of which the reader holds the parts ``held``, to the edition of ``payload``."""
    acceptance = payload["acceptance"]
    return {
        **{name: payload[name] for name in HEAD},
        "since": since,
        "parties": [part_hash(part) for part in payload["parties"]],
        **{
            name: {party: [part_hash(part) for part in parts] for party, parts in payload.get(name, {}).items()}
            for name in BY_PARTY
        },
        "acceptance": None if acceptance is None else part_hash(acceptance),
        **with_eu_lists(payload, [part_hash(one) for one in eu_lists_of(payload)]),
        "parts": {name: part for name, part in parts_of(payload).items() if name not in held},
    }


def sign_delta(delta: Mapping[str, Any], *, key: Ed25519PrivateKey, kid: str) -> str:
    """The delta as a compact JWS, and behind it the status lists among its parts, as behind a bundle."""
    names = {name for names in (*delta[LISTS].values(), eu_lists_of(delta)) for name in names}
    attached = [part for name, part in delta["parts"].items() if name in names]
    signed = {**delta, "parts": {name: part for name, part in delta["parts"].items() if name not in names}}
    return envelope.join(sign_document(key, kid=kid, kind=KIND, payload=signed), attached)


def apply_delta(base: Payload, signed: str, *, issuer_key: Mapping[str, str]) -> dict[str, Any]:
    """The newest edition's payload from an older one and a delta.

    Raises:
        Tampered: not signed by the issuer of the bundle, or a part is not what its hash says.
        Conflict: it is no news for this base, or a part is missing; fetch the whole bundle.
        BadInput, LimitExceeded: not a delta.
    """
    text, lists = envelope.split(signed)
    delta = verify_document(text, key=issuer_key, kind=KIND)
    try:
        _require_news(base, delta)
        parts = parts_of(base) | _checked(delta["parts"]) | lists
        acceptance = delta["acceptance"]
        return {
            **{name: delta[name] for name in HEAD},
            "parties": [parts[name] for name in delta["parties"]],
            **{
                name: {party: [parts[one] for one in hashes] for party, hashes in delta.get(name, {}).items()}
                for name in BY_PARTY
            },
            "acceptance": None if acceptance is None else parts[acceptance],
            **with_eu_lists(delta, [parts[name] for name in eu_lists_of(delta)]),
        }
    except KeyError as error:
        raise Conflict(f"The delta lacks {str(error)[:20]}.", "Fetch the whole bundle.") from error
    except (TypeError, AttributeError) as error:
        raise BadInput("This is not a delta of a trust bundle.", "Fetch the whole bundle.") from error


def _require_news(base: Payload, delta: Mapping[str, Any]) -> None:
    if delta["issuer"] != base["issuer"]:
        raise Conflict("The delta is of another node's bundle.", "Fetch the whole bundle.")
    if (delta["number"], delta["issued_at"]) < (base["number"], base["issued_at"]):
        raise Conflict("The delta is older than the bundle held.", "Fetch the whole bundle.")


def _checked(parts: Mapping[str, Any]) -> dict[str, Any]:
    if len(parts) > MAX_PARTS:
        raise LimitExceeded(f"The delta has more than {MAX_PARTS:,} parts.", "Fetch the whole bundle.")
    wrong = [name for name, part in parts.items() if part_hash(part) != name]
    if wrong:
        raise Tampered("A part of the delta is not what its hash says.", "Fetch the whole bundle.")
    return dict(parts)
