"""Reading any pass that the world shows: one function, always an answer or an error of the tree.

The answer says what the text is, what it holds and whether its signature fits one of the keys. It decides nothing:
expiry, status, rules and scene are the verifier's part. Of a SMART Health Card it also says what its specification has
against it, for there is no other part that does.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hutong.errors import BadInput, LimitExceeded

from ..moment import moment
from . import cbor, cose, dcc, dcc_revocation, hcert, level_pass, shc, shc_rules
from .keys import MAX_TRIALS, KeyRing, VerificationKey

MAX_TEXT = 262_144
MAX_WARNINGS = 20
EU_DCC, HEALTH_LINK = 1, 5
_ENTRIES = ((EU_DCC, "eu-dcc"), (-6, "who-dvc"), (3, "who-ddcc"), (4, "who-ddcc"))
_GROUPS = ("v", "t", "r")
_EDGES = " \t\r\n\ufeff"
_NEXT_PASS = re.compile(rf"[\t\r\n]{hcert.PREFIX}")  # not after a space: that is a sign of base45


class ReadPass(NamedTuple):
    """What a text says.

    Attributes:
        kind: "hutong" · "eu-dcc" · "who-dvc" · "who-ddcc" · "health-link" · "smart-health-card" · "icao-vds" ·
            "divoc" · "hcert" (a sound container of something else).
        payload: the content as JSON can hold it.
        signature_valid: True or False when a key with the message's key id was given; None when no key fits.
        issuer: who claims to have signed it.
        issued_at, expires_at: UTC; None when the pass does not say.
        valid_from: of an HCERT, the later of issue and not-before; None where the first is not told or one is no time.
        key_id: name of the key (base64 of the 8 bytes, or the ``kid``); None when the pass names none.
        warnings: what a reader should know, one sentence each; also the sentences of ``problems``.
        key: the key that verified it; None unless ``signature_valid``.
        claims: the pass itself, when it is Hutong's own.
        revoked: of a SMART Health Card that a key verifies, and of an EU DCC whose signature is not known to be wrong:
            whether it is on a revocation list of its key. None: no such list is at hand, or it cannot be relied on; of
            other kinds always, for that is the verifier's part.
        problems: of a SMART Health Card, every reason against it by its specification, with a stable code.
        acceptable: whether there is none, and so a verifier of such cards may accept it. None: nothing speaks against
            it, but its issuer's keys are not known here; of other kinds always.
    """

    kind: str
    payload: Mapping[str, Any]
    signature_valid: bool | None
    issuer: str | None
    issued_at: dt.datetime | None
    expires_at: dt.datetime | None
    key_id: str | None
    warnings: tuple[str, ...] = ()
    key: VerificationKey | None = None
    claims: level_pass.LevelPass | None = None
    revoked: bool | None = None
    problems: tuple[shc.Problem, ...] = ()
    acceptable: bool | None = None
    valid_from: dt.datetime | None = None


def read_pass(
    text: str | bytes | Sequence[str | bytes],
    *,
    keys: KeyRing | Iterable[Any] | Path = (),
    reference: dcc.Reference | Path | None = None,
    revocations: dcc_revocation.RevocationLists | Path | None = None,
    at: dt.datetime | str | None = None,
) -> ReadPass:
    """Read a pass: HCERT (Hutong, EU DCC, WHO), SMART Health Card (JWS, digits, file), VDS-NC, DIVOC.

    Args:
        text: the text that a QR code holds, a file's content, or the bytes of a picture; of a card that
            is split over several codes, a list of these in any order.
        keys: X.509 certificates (DER bytes, base64 or PEM), JSON Web Keys or sets, paths of files or folders of them
            (:meth:`KeyRing.of` takes more), or a ready :class:`KeyRing`.
        reference: schemas and value sets of the EU DCC, or their folder; what does not fit them is a warning.
        revocations: revocation lists of the EU DCC, or their file or folder (``RevocationLists.load``). Those of cards
            lie among the keys.
        at: the moment at which a SMART Health Card is to be acceptable, in UTC where it names no zone; now without it.

    Raises:
        BadInput: not a pass, or not well formed; something among the keys or lists that is none.
        LimitExceeded: longer, deeper or larger inflated than allowed.
        NotFound, Unavailable: a path where nothing can be read.
    """
    ring = KeyRing.of(keys)
    if isinstance(reference, Path):
        reference = dcc.Reference.load(reference)
    if isinstance(revocations, Path):
        revocations = dcc_revocation.RevocationLists.load(revocations)
    when = moment(at) if at is not None else dt.datetime.now(dt.UTC)
    found = _read(text_of(text), ring, reference, revocations, when)
    return found._replace(warnings=found.warnings + ring.notes[:MAX_WARNINGS]) if ring.notes else found


def _read(
    text: str,
    ring: KeyRing,
    reference: dcc.Reference | None,
    lists: dcc_revocation.RevocationLists | None,
    at: dt.datetime,
) -> ReadPass:
    shown = text.strip(_EDGES)
    if shown.startswith(hcert.PREFIX):
        return _read_hcert(shown, ring, reference, lists)
    if shown[:4].upper() == hcert.PREFIX:
        raise BadInput("The prefix HC1: must be upper case.", "Scan the code again.")
    if shown.startswith("B64:") or shown.startswith('{"data"') or re.match(r'\{\s*"data"\s*:', shown):
        from .other import read_other

        return read_other(shown, ring)
    if shown[:4].lower() == "shc:" or shown.startswith("{") or re.match(r"ey[\w-]+\.", shown):
        return _read_card(text, ring, at)
    raise BadInput("The text is no pass that is known here.", "Scan a code that begins with HC1: or shc:/.")


def text_of(given: str | bytes | Sequence[str | bytes]) -> str:
    """The text itself, or that of the QR code in a picture; of several, one a line. Raises as :func:`read_pass`."""
    text = given if isinstance(given, str) else _text_of_other(given)
    if len(text) > MAX_TEXT:
        raise LimitExceeded("The text is longer than 256 KiB.", "Give one pass at a time.")
    return text


def _text_of_other(given: object) -> str:
    if isinstance(given, list | tuple):
        if len(given) > shc.MAX_CHUNKS:
            raise LimitExceeded(f"More than {shc.MAX_CHUNKS} codes were given.", "Give the codes of one pass.")
        parts = [text_of(part).strip(_EDGES) for part in given]
        if len(parts) > 1 and not all(part[:4].lower() == "shc:" for part in parts):
            raise BadInput("Several codes were given that are not the parts of one card.", "Give one pass at a time.")
        return "\n".join(parts)
    if isinstance(given, bytes | bytearray | memoryview):
        return _to_text(bytes(given))
    raise BadInput("A pass is text or bytes.", "Give the text of the code, or a picture of it.")


def _to_text(data: bytes) -> str:
    from . import picture

    if picture.is_picture(data):
        return picture.read(data)
    if len(data) > MAX_TEXT:
        raise LimitExceeded("The text is longer than 256 KiB.", "Give one pass at a time.")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise BadInput(
            "The bytes are neither text nor a picture of a known kind.", "Give a PNG, JPEG, GIF, WebP or SVG picture."
        ) from None


def _read_hcert(
    text: str, ring: KeyRing, reference: dcc.Reference | None, lists: dcc_revocation.RevocationLists | None
) -> ReadPass:
    if text.find(hcert.PREFIX, 1) > 0 and _NEXT_PASS.search(text):  # the first is quick, and nearly always enough
        raise BadInput("The text holds more than one pass.", "Give one pass at a time.")
    container, *disclosures = text.split("~")
    message = cose.parse(hcert.unpack(container))
    claims = hcert.read_claims(message.payload)
    valid, key = cose.verify(message, ring)
    warnings = _warnings(message, claims, ring)
    own, revoked = None, None
    if level_pass.CLAIM in claims.contents:
        own = level_pass.parse(claims)
        kind, payload = "hutong", _own_payload(own, level_pass.read_facts(own, disclosures))
    elif disclosures:
        raise BadInput("Only a pass of Hutong carries disclosed facts.", "Remove what follows the sign ~.")
    else:
        kind, payload = _foreign_payload(claims)
        warnings += _key_warnings(key, claims, payload if kind == "eu-dcc" else {})
        warnings += _content_warnings(payload, reference) if kind == "eu-dcc" else ()
        if kind == "eu-dcc" and lists is not None and valid is not False:
            hashes = dcc_revocation.hashes_of(message, claims.issuer, payload)
            revoked, told = lists.find(_revoking_id(key, message), claims.issuer, hashes)
            warnings += (told,) if told else ()
    return ReadPass(
        kind=kind,
        payload=payload,
        signature_valid=valid,
        issuer=claims.issuer,
        issued_at=claims.issued_at,
        expires_at=claims.expires_at,
        key_id=cose.key_name(message.key_id),
        warnings=warnings,
        key=key,
        claims=own,
        revoked=revoked,
        valid_from=claims.issued_at if claims.not_before is None and not claims.unreadable_times else _begin(claims),
    )


def _revoking_id(key: VerificationKey | None, message: cose.Sign1) -> bytes | None:
    """The key id as lists name it: that of the key that signed, of which the shortest form is the bytes themselves."""
    return min(key.key_ids, key=len, default=message.key_id) if key is not None else message.key_id


def _begin(claims: hcert.Claims) -> dt.datetime | None:
    if claims.issued_at is None or hcert.NOT_BEFORE in claims.unreadable_times:
        return None
    return max(claims.issued_at, claims.not_before or claims.issued_at)


def _warnings(message: cose.Sign1, claims: hcert.Claims, ring: KeyRing) -> tuple[str, ...]:
    found: list[str] = []
    if message.algorithm is None:
        found.append("The signature algorithm is not one that may sign a pass (ES256, PS256).")
    if message.key_id is None:
        found.append("The message names no key.")
        if len(ring.keys) > MAX_TRIALS:
            found.append(f"More than {MAX_TRIALS} keys were given for a message that names none: none was tried.")
    if claims.unreadable_times:
        found.extend(f"Claim {claim} is not a time: the pass is never valid." for claim in claims.unreadable_times)
    if claims.expires_at is None and hcert.EXPIRES not in claims.unreadable_times:
        found.append("The pass names no expiry.")
    return tuple(found)


def _key_warnings(key: VerificationKey | None, claims: hcert.Claims, content: Mapping[str, Any]) -> tuple[str, ...]:
    """What the key's certificate says against the pass (HCERT 1.1, 3.2.5 and 3.2.6; extended key usage)."""
    if key is None:
        return ()
    found = {
        "The certificate of the key is not for this kind of content.": key.usage is not None
        and not {group for group in _GROUPS if content.get(group)} <= key.usage,
        "It was issued before the certificate of its key was valid.": _precedes(claims.issued_at, key.not_before),
        "It lasts longer than the certificate of its key.": _precedes(key.not_after, claims.expires_at),
    }
    return tuple(sentence for sentence, holds in found.items() if holds)


def _content_warnings(payload: Mapping[str, Any], reference: dcc.Reference | None) -> tuple[str, ...]:
    """What is odd about an EU DCC, and what does not fit the published schemas and value sets where they are given."""
    told = [finding.what for finding in dcc.check_form(payload)]
    for finding in reference.check(payload) if reference else ():
        if finding.stage == "schema":
            told.append(f"It does not fit its schema at {finding.where or 'the top'}: {finding.what[:200]}")
        elif finding.stage == "value-set":
            told.append(f"The code at {finding.where} is newer than the value sets, or wrong: {finding.what}")
    return tuple(dict.fromkeys(told))[:MAX_WARNINGS]


def _precedes(one: dt.datetime | None, other: dt.datetime | None) -> bool:
    return one is not None and other is not None and one < other


def _own_payload(own: level_pass.LevelPass, facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "level": own.level,
        "rulebook": own.rulebook,
        "version": own.version,
        "pass_id": own.pass_id.hex(),
        "status_list": own.status_list,
        "status_position": own.status_position,
        "commitment": own.commitment.hex(),
        "facts": {name: cbor.to_json(value) for name, value in facts.items()},
    }


def _foreign_payload(claims: hcert.Claims) -> tuple[str, dict[str, Any]]:
    """Kind and content by the entry of claim -260 (HCERT 1.1, 3.2.7.1; -6 is WHO DVC and ICVP); older DDCC has none."""
    for entry, kind in _ENTRIES:
        content = _unwrapped(claims.contents.get(entry))
        if isinstance(content, Mapping):
            return kind, cbor.to_json(content)
    links = claims.contents.get(HEALTH_LINK)
    if isinstance(links, list | tuple | Mapping):
        return "health-link", {"links": cbor.to_json(links if isinstance(links, list | tuple) else [links])}
    body: dict[str, Any] = cbor.to_json(claims.body)
    if {"name", "birthDate"} <= body.keys() or {"vaccine", "test"} & body.keys():
        return "who-ddcc", body
    return "hcert", body


def _unwrapped(content: object) -> object:
    """The item that a byte string encodes, where it does: issuers of schema 1.0.0 put an entry into one."""
    try:
        return cbor.loads(content, "the claims") if isinstance(content, bytes) else content
    except (BadInput, LimitExceeded):
        return content


def _read_card(text: str, ring: KeyRing, at: dt.datetime) -> ReadPass:
    """The first card of the text; its signature counts as valid only when those of all cards with it are."""
    cards, told = shc.read(text)
    card, found = cards[0], [shc_rules.check(each, ring, at=at) for each in cards]
    valid = _all_of([one.signature_valid for one in found])
    revoked = _all_of([None if one.revoked is None else not one.revoked for one in found])
    problems = tuple(dict.fromkeys((*told, *(problem for one in found for problem in one.problems))))
    expires_at = _to_time(card.payload.get("exp"))
    warnings = tuple(dict.fromkeys(problem.what for problem in problems))[:MAX_WARNINGS]
    if expires_at is None and card.payload.get("exp") is not None:
        warnings += ("The end of the card is none that a calendar has.",)
    if len(cards) > 1:
        warnings += (f"The file holds {len(cards)} cards; this is the first.",)
    only_keys_missing = valid is None and {problem.code for problem in problems} == {shc_rules.UNKNOWN_KEYS}
    return ReadPass(
        kind="smart-health-card",
        payload=card.payload,
        signature_valid=valid,
        issuer=card.issuer,
        issued_at=_to_time(card.payload.get("nbf")),
        expires_at=expires_at,
        key_id=card.key_id,
        warnings=warnings,
        key=found[0].key if valid else None,
        revoked=None if revoked is None else not revoked,
        problems=problems[:MAX_WARNINGS],
        acceptable=None if only_keys_missing else not problems,
    )


def _all_of(states: Sequence[bool | None]) -> bool | None:
    """False when one is; else None when one is not known."""
    return False if False in states else (None if None in states else True)


def _to_time(number: object) -> dt.datetime | None:
    """The moment of a card's time; None for what is none, which the card's problems tell."""
    try:
        return hcert.to_time(number)
    except BadInput:
        return None
