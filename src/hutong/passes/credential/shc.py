"""SMART Health Cards: a JWS (ES256, raw deflate) as text, as file, or as digits in QR codes.

Parsing collects problems instead of stopping at the first, with the codes that validators of the field use, so that
an issuer can be told everything at once. A verifier accepts a card only when there is no problem at all.
Source: SMART Health Cards Framework 1.x (spec.smarthealth.cards).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from hutong.errors import BadInput, HutongError, LimitExceeded

from . import hcert
from .keys import decode_base64url

MAX_TEXT = 262_144
MAX_CARDS = 64
MAX_CHUNKS = 64
MAX_DIGITS = 2 * 1195  # a version 22 QR code holds a JWS of 1,195 characters
_DEPRECATED = "QR_CHUNKING_DEPRECATED"
_JWS = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_NUMERIC = re.compile(r"shc:/(?:([0-9]{1,3})/([0-9]{1,3})/)?([0-9]*)")


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason against a card.

    Attributes:
        code: which it is, as validators of the field name it.
        what: a sentence.
        severity: "error" against the card itself · "warning" against it at the moment of checking, at another it may
            be good.
    """

    code: str
    what: str
    severity: Literal["error", "warning"] = "error"


@dataclass(frozen=True, slots=True)
class Card:
    """One JWS taken apart; ``problems`` says what is wrong with its form.

    Attributes:
        header, payload: JSON objects; empty when they could not be read.
        signed, signature: what the signature is over, and the raw r‖s.
        issuer, key_id: ``iss`` and ``kid``; None when absent.
    """

    header: Mapping[str, Any]
    payload: Mapping[str, Any]
    signed: bytes
    signature: bytes
    issuer: str | None
    key_id: str | None
    problems: tuple[Problem, ...]


def parse_json(text: str, what: str) -> tuple[Any, tuple[Problem, ...]]:
    """JSON and the problems of its text; None when it cannot be read.

    Raises:
        LimitExceeded: longer than 256 KiB.
    """
    if len(text) > MAX_TEXT:
        raise LimitExceeded(f"The {what} is longer than 256 KiB.", "Give one card at a time.")
    problems = trailing(text, what)
    bare = text.strip(" \t\r\n\ufeff")
    try:
        document, repeats = orjson.loads(bare), _repeats_a_name(bare)
    except (orjson.JSONDecodeError, UnicodeEncodeError, RecursionError):
        return None, (*problems, Problem("JSON_PARSE_ERROR", f"The {what} is not JSON."))
    if repeats:
        problems += (Problem("JSON_PARSE_ERROR", f"A name stands twice in an object of the {what}."),)
    return document, problems


def _repeats_a_name(text: str) -> bool:
    """Whether an object names a member twice: of two readers each may take another one (RFC 7515, 4; RFC 7519, 4)."""
    counts: list[tuple[int, int]] = []

    def count(members: list[tuple[str, Any]]) -> None:
        counts.append((len(members), len({name for name, _ in members})))

    json.loads(text, object_pairs_hook=count, parse_int=str, parse_float=str)
    return any(all_of_them != different for all_of_them, different in counts)


def trailing(text: str, what: str) -> tuple[Problem, ...]:
    """The problem that white space or a byte-order mark stands around the text, if so."""
    if text.strip(" \t\r\n\ufeff") == text:
        return ()
    return (Problem("TRAILING_CHARACTERS", f"Characters stand before or after the {what}."),)


def parse_numeric(chunks: Sequence[str]) -> tuple[str | None, tuple[Problem, ...]]:
    """JWS text of the contents of one or more QR codes (``shc:/…``, ``shc:/1/2/…``), in any order.

    Returns:
        The JWS (None when chunks are missing or not digits) and the problems.
    """
    problems: list[Problem] = []
    parts: dict[int, str] = {}
    totals: set[int] = set()
    if not 1 <= len(chunks) <= MAX_CHUNKS:
        return None, (Problem("INVALID_NUMERIC_QR", "There is no chunk, or more than 64."),)
    for chunk in chunks:
        problems += trailing(chunk, "QR text")
        found = _NUMERIC.fullmatch(chunk.strip())
        if found is None:
            code = "INVALID_NUMERIC_QR" if chunk.strip().startswith("shc:/") else "INVALID_NUMERIC_QR_HEADER"
            problems.append(Problem(code, "The QR text is not shc:/ followed by digits."))
            continue
        number, total, digits = int(found[1] or 1), int(found[2] or 1), found[3]
        totals.add(total)
        if not 1 <= number <= total or number in parts:
            problems.append(Problem("INVALID_NUMERIC_QR_HEADER", "A chunk's number does not fit."))
        if not digits:
            problems.append(Problem("INVALID_NUMERIC_QR", "The code holds no digits."))
        if len(digits) % 2:
            problems.append(Problem("INVALID_NUMERIC_QR", "The number of digits is odd."))
        if len(digits) > MAX_DIGITS:
            problems.append(Problem("INVALID_NUMERIC_QR", "The code holds more than 1,195 characters."))
        parts[number] = digits
    if len(chunks) > 1:
        problems.append(Problem(_DEPRECATED, "The card is split over several codes."))
    if not parts or len(totals) != 1 or sorted(parts) != list(range(1, totals.pop() + 1)):
        problems.append(Problem("MISSING_QR_CHUNK", "A chunk of the card is missing."))
        return None, tuple(problems)
    digits = "".join(parts[number] for number in sorted(parts))
    codes = [int(digits[i : i + 2]) + 45 for i in range(0, len(digits) - 1, 2)]
    if any(code > 122 for code in codes):
        problems.append(Problem("INVALID_NUMERIC_QR", "Two digits stand for no character."))
    return "".join(map(chr, codes)), tuple(problems)


def parse_file(text: str) -> tuple[tuple[str, ...], tuple[Problem, ...]]:
    """JWS texts of a ``.smart-health-card`` file, or of the FHIR ``$health-cards-issue`` answer."""
    document, problems = parse_json(text, "file")
    if document is None:
        return (), problems
    cards: list[Any] = []
    if isinstance(document, dict):
        listed = document.get("verifiableCredential")
        cards = list(listed) if isinstance(listed, list) else []
        parameters = document.get("parameter")
        for parameter in parameters if isinstance(parameters, list) else []:
            if isinstance(parameter, dict) and parameter.get("name") == "verifiableCredential":
                cards.append(parameter.get("valueString"))
    if not cards or len(cards) > MAX_CARDS or not all(isinstance(card, str) for card in cards):
        return (), (*problems, Problem("SCHEMA_ERROR", "The file holds no list of cards, or more than 64."))
    return tuple(cards), problems


def parse_jws(text: str) -> Card:
    """Take a JWS apart and collect what is wrong with it.

    Raises:
        LimitExceeded: text longer than 256 KiB, or a payload that inflates to more than 64 KiB.
    """
    if len(text) > MAX_TEXT:
        raise LimitExceeded("The card is longer than 256 KiB.", "Give one card at a time.")
    problems = list(trailing(text, "JWS"))
    text = text.strip()
    if _JWS.fullmatch(text) is None:
        problem = Problem("JSON_WEB_SIGNATURE_ERROR", "The text is not three parts of base64url.")
        return Card({}, {}, b"", b"", None, None, (*problems, problem))
    head, body, tail = text.split(".")
    header = _header(head, problems)
    payload = _payload(body, problems)
    signature = _decode(tail)
    if len(signature) != 64:
        problems.append(Problem("SIGNATURE_FORMAT_ERROR", "The signature is not the 64 bytes of r and s."))
    issuer, key_id = payload.get("iss"), header.get("kid")
    if payload and not is_issuer_address(issuer):
        problems.append(Problem("INVALID_ISSUER_URL", "The issuer is not an https address without final slash."))
    return Card(
        header=header,
        payload=payload,
        signed=f"{head}.{body}".encode(),
        signature=signature,
        issuer=issuer if isinstance(issuer, str) else None,
        key_id=key_id if isinstance(key_id, str) else None,
        problems=tuple(problems),
    )


def is_issuer_address(issuer: object) -> bool:
    """Whether ``iss`` is what the framework allows: https, no final slash, no query, no fragment."""
    return isinstance(issuer, str) and re.fullmatch(r"https://[^\s?#]+[^\s?#/]", issuer) is not None


def _decode(part: str) -> bytes:
    try:
        return decode_base64url(part, "the card")
    except BadInput:
        return b""


def _header(part: str, problems: list[Problem]) -> Mapping[str, Any]:
    try:
        header, found = parse_json(_decode(part).decode(), "header")
    except UnicodeDecodeError:
        header, found = None, ()
    problems += found
    if not isinstance(header, dict):
        problems.append(Problem("JWS_HEADER_ERROR", "The header is not a JSON object."))
        return {}
    wanted = header.get("alg") == "ES256" and header.get("zip") == "DEF" and isinstance(header.get("kid"), str)
    if not wanted:
        problems.append(Problem("JWS_HEADER_ERROR", "The header lacks alg ES256, zip DEF or a kid."))
    if "crit" in header:  # RFC 7515, 4.1.11: what must be understood and is not makes the signature invalid
        problems.append(Problem("JWS_HEADER_ERROR", "The header demands an extension that is not known."))
    return header


def _payload(part: str, problems: list[Problem]) -> Mapping[str, Any]:
    try:
        text = hcert.inflate(_decode(part), raw=True).decode()
    except LimitExceeded:
        raise
    except (HutongError, UnicodeDecodeError):
        problems.append(Problem("INFLATION_ERROR", "The payload is not raw deflate."))
        return {}
    payload, found = parse_json(text, "payload")
    problems += found
    if not isinstance(payload, dict):
        problems.append(Problem("SCHEMA_ERROR", "The payload is not a JSON object."))
        return {}
    return payload


def read(text: str) -> tuple[tuple[Card, ...], tuple[Problem, ...]]:
    """Cards of a text: JWS, file, or the QR contents of one code (or of several, one a line).

    Returns:
        At least one card, and what is wrong with the text although it can be read.

    Raises:
        BadInput: anything else that is wrong with the form of any of them; the message has the codes of all.
        LimitExceeded: longer than 256 KiB, or more than 64 KiB inflated.
    """
    text = text.removesuffix("\n").removesuffix("\r")
    if text.lstrip().startswith("{"):
        found, problems = parse_file(text)
    elif "shc:" in text[:64].lower():
        jws, problems = parse_numeric(re.split(r"\r?\n(?=shc:)", text))
        found = (jws,) if jws is not None else ()
    else:
        found, problems = (text,), ()
    cards = tuple(parse_jws(jws) for jws in found)
    fatal = [problem for problem in problems if problem.code != _DEPRECATED]
    fatal += [problem for card in cards for problem in card.problems]
    if fatal or not cards:
        codes = ", ".join(dict.fromkeys(problem.code for problem in (*problems, *fatal)))
        what = fatal[0].what if fatal else "The text holds no card."
        raise BadInput(
            f"The SMART Health Card is not well formed ({codes}). {what}", "Ask the issuer for a correct card."
        )
    return cards, tuple(problem for problem in problems if problem.code == _DEPRECATED)


def to_numeric(jws: str) -> str:
    """QR content of a JWS of at most 1,195 characters.

    Raises:
        BadInput: not a JWS, or longer.
    """
    if len(jws) * 2 > MAX_DIGITS or _JWS.fullmatch(jws) is None:
        raise BadInput("The card does not fit one code.", "Issue a shorter card.")
    return "shc:/" + "".join(f"{ord(character) - 45:02d}" for character in jws)
