"""How a bundle travels: the signed text, and after it the lists that it names: status lists, and those of the EU.

    <compact JWS>~<list>~<list>…

The signed payload has each list's name, the SHA-256 of its canonical JSON, in place of the list (base64 of a COSE
message). So the lists need no signature of the bundle, are not base64 of base64, which would be a third more and can't
be compressed, and who holds a list already need not be sent it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hutong.errors import BadInput, Conflict, LimitExceeded
from hutong.trust.signing import MAX_DOCUMENT_BYTES, canonical_json, read_unverified

LISTS = "status_lists"
EU_LISTS = "dcc_revocations"
MAX_BUNDLE_BYTES = 32 * 2**20
MAX_SIGNED_BYTES = MAX_DOCUMENT_BYTES
"""Of the signed text, without the lists: what every reader takes of a signed document, as it is sent."""
MAX_ATTACHED = 4_096
_SEPARATOR = "~"

Payload = Mapping[str, Any]
"""What a bundle says, with its lists."""


def part_hash(part: Any) -> str:
    """The name of a part: SHA-256 of its canonical JSON, hexadecimal."""
    return hashlib.sha256(canonical_json(part)).hexdigest()


def lists_of(payload: Payload) -> dict[str, str]:
    """The lists in a payload by their name."""
    own = [one for _, lists in sorted(payload[LISTS].items()) for one in lists]
    return {part_hash(one): one for one in (*own, *eu_lists_of(payload))}


def eu_lists_of(payload: Payload) -> list[Any]:
    """The revocation lists of EU certificates, or their names; none where the payload has none."""
    return list((payload.get(EU_LISTS) or {}).get("lists", ()))


def with_eu_lists(payload: Payload, lists: Sequence[Any]) -> dict[str, Any]:
    """The member of a payload with these in place of its lists; nothing where it has none."""
    section = payload.get(EU_LISTS)
    return {} if section is None else {EU_LISTS: {**section, "lists": list(lists)}}


def named(payload: Payload) -> dict[str, Any]:
    """The payload as it is signed: with the names of lists in place of the lists."""
    own = {party: [part_hash(one) for one in lists] for party, lists in payload[LISTS].items()}
    return {**payload, LISTS: own, **with_eu_lists(payload, [part_hash(one) for one in eu_lists_of(payload)])}


def join(signed: str, attached: Iterable[str]) -> str:
    """The text of a bundle. Raises LimitExceeded when readers would not take it."""
    if len(signed) > MAX_SIGNED_BYTES:
        raise LimitExceeded(
            f"The signed text of the trust bundle would pass the {MAX_SIGNED_BYTES // 2**20} MiB that readers take.",
            "Follow fewer parties.",
        )
    text = _SEPARATOR.join((signed, *attached))
    if len(text) > MAX_BUNDLE_BYTES:
        raise LimitExceeded(
            f"The trust bundle would be larger than the {MAX_BUNDLE_BYTES // 2**20} MiB that its readers take.",
            "Follow fewer parties, and issue passes for fewer hours.",
        )
    return text


def split(text: str) -> tuple[str, dict[str, str]]:
    """The signed text, and the lists behind it by their name. Raises LimitExceeded."""
    if len(text) > MAX_BUNDLE_BYTES:
        raise LimitExceeded(f"The trust bundle is larger than {MAX_BUNDLE_BYTES // 2**20} MiB.", "Fetch it again.")
    signed, *attached = text.strip().split(_SEPARATOR, MAX_ATTACHED + 1)
    if len(attached) > MAX_ATTACHED:
        raise LimitExceeded(f"The trust bundle holds more than {MAX_ATTACHED:,} status lists.", "Fetch it again.")
    return signed, {part_hash(one): one for one in attached}


def fill(document: Payload, lists: Mapping[str, str], *, eu_lists: bool = True) -> dict[str, Any]:
    """The payload of what was signed, with its lists.

    Without ``eu_lists`` it says nothing of EU certificates: for who follows a party, and has lists of its own.

    Raises:
        Conflict: a list is lacking.
        BadInput: it is no bundle.
    """
    try:
        found = {party: [lists[name] for name in names] for party, names in document[LISTS].items()}
        of_the_eu = with_eu_lists(document, [lists[name] for name in eu_lists_of(document)]) if eu_lists else {}
    except KeyError as error:
        raise Conflict(f"The trust bundle lacks {str(error)[:20]}.", "Fetch the whole bundle.") from error
    except (TypeError, AttributeError) as error:
        raise BadInput("This is not a trust bundle.", "Fetch it again.") from error
    rest = {name: value for name, value in document.items() if name != EU_LISTS}
    return {**rest, LISTS: found, **of_the_eu}


def read_unverified_bundle(text: str, *, eu_lists: bool = True) -> dict[str, Any]:
    """What a bundle says, *before* its signature is checked, or where it was checked before."""
    signed, lists = split(text)
    return fill(read_unverified(signed)[1], lists, eu_lists=eu_lists)


def complete(text: str, held: str, *, eu_lists: bool = True) -> str:
    """A bundle that was sent without lists that are held, made whole of another one. Raises as ``fill``."""
    signed, lists = split(text)
    known = split(held)[1] | lists
    payload = fill(read_unverified(signed)[1], known, eu_lists=eu_lists)
    return join(signed, lists_of(payload).values())
