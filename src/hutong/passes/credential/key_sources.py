"""Sources of keys: certificates, JSON Web Keys and sets, directories of issuers, trust lists, and files of them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from hutong.errors import BadInput, LimitExceeded, PrivateKeyGiven

from .certificates import PRIVATE_PEM, is_private_key, read_certificate, read_public_key, split_pem, to_der
from .keys import VerificationKey, certified_ids, read_jwk

if TYPE_CHECKING:
    from .gdhcn import TrustDocument

MAX_KEYS = 100_000
_FORMS = (str, bytes, bytearray, memoryview, Mapping, Path)
_NAME = 64
"""Characters of a key's own name that a note tells."""


class KeySource(NamedTuple):
    """What one source of keys, or several, hold: keys, the trust lists that these were read from, and what is unusable.

    Attributes:
        skipped: each key that can't be used: its ``kid``, file or number in its list, and why.
    """

    keys: tuple[VerificationKey, ...] = ()
    documents: tuple[TrustDocument, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()


def gather(sources: Iterable[KeySource]) -> KeySource:
    """Several sources as one.

    Raises:
        LimitExceeded: more than 100,000 keys.
    """
    keys: list[VerificationKey] = []
    documents: list[TrustDocument] = []
    skipped: list[tuple[str, str]] = []
    for source in sources:
        keys += source.keys
        documents += source.documents
        skipped += source.skipped
        if len(keys) + len(skipped) > MAX_KEYS:
            raise LimitExceeded(f"More than {MAX_KEYS} keys were given.", "Give the keys of fewer issuers.")
    return KeySource(tuple(keys), tuple(documents), tuple(skipped))


def tell(source: KeySource) -> tuple[str, ...]:
    """What of it can't be used: keys that were given, in one sentence, and what its trust lists hold, one each."""
    if not source.documents and not source.skipped:
        return ()
    from . import gdhcn

    told = gdhcn.tell(source.documents)
    if source.skipped:
        named = gdhcn.some_of([f"{name} ({why.rstrip('.')})" for name, why in source.skipped])
        told += (f"{len(source.skipped)} of the keys that were given can't be used: {named}.",)
    return told


def read_all(sources: Iterable[Any], read: Callable[[Any], KeySource] | None = None) -> KeySource:
    """Keys of several sources; those that can't be used are left out, as of a key set (RFC 7517, 5), unless all are.

    Args:
        sources: each in a form that ``read`` takes.
        read: what reads one; :func:`read_keys` without it.

    Raises:
        BadInput: there are sources, and none can be used (the first one's error); a private key; something that is
            neither text, bytes, mapping nor path.
        LimitExceeded, NotFound, Unavailable: as of one source.
    """
    refused: list[BadInput] = []
    found = gather(_usable(sources, read or read_keys, refused))
    if refused and not found.keys and not found.documents:
        raise refused[0]
    return found


def _usable(sources: Iterable[Any], read: Callable[[Any], KeySource], refused: list[BadInput]) -> Iterator[KeySource]:
    for number, source in enumerate(sources, start=1):
        try:
            yield read(source)
        except BadInput as error:
            if isinstance(error, PrivateKeyGiven) or not isinstance(source, _FORMS):
                raise
            refused.append(error)
            yield KeySource(skipped=((_name_of(source, number), error.what),))


def _name_of(source: Any, number: int) -> str:
    name = source.name if isinstance(source, Path) else source.get("kid") if isinstance(source, Mapping) else None
    return name[:_NAME] if isinstance(name, str) and name else f"no. {number}"


def read_keys(key: Any) -> KeySource:
    """Keys of one source in any form that :meth:`KeyRing.of` takes. Raises as it does."""
    if isinstance(key, VerificationKey):
        return KeySource((key,))
    if isinstance(key, Mapping):
        return _read_document(key)
    if isinstance(key, list | tuple):
        return _read_list(key)
    if isinstance(key, Path):
        from .key_files import read_key_files

        return read_key_files(key)
    if isinstance(key, bytearray | memoryview):
        key = bytes(key)
    if isinstance(key, bytes | str):
        return _read_text(key)
    raise BadInput("A key is neither a certificate nor a JSON Web Key.", "Give X.509 as DER, base64 or PEM, or a JWK.")


def _read_text(source: bytes | str) -> KeySource:
    if isinstance(source, bytes) and source[:1] == b"\x30":
        return KeySource((_certified_key(source),))
    text = source.decode("utf-8", "replace") if isinstance(source, bytes) else source
    if text.lstrip(" \t\r\n\ufeff").startswith(("{", "[")):
        try:
            return read_keys(orjson.loads(text.lstrip("\ufeff")))
        except (orjson.JSONDecodeError, UnicodeEncodeError):
            raise BadInput("A key set is not JSON.", "Fetch it again.") from None
    blocks = split_pem(text)
    if blocks == (text,) and PRIVATE_PEM.search(text):
        raise PrivateKeyGiven("A private key was given among the keys.", "Give the public part alone.")
    return read_all(blocks, lambda block: KeySource((_certified_key(block),)))


def _read_list(sources: Sequence[Any]) -> KeySource:
    if any(isinstance(source, list | tuple) for source in sources):
        raise BadInput("A list of keys holds a list.", "Give one list of certificates and JSON Web Keys.")
    return read_all(sources)


def _read_document(document: Mapping[str, Any]) -> KeySource:
    """Keys of a JWK, a JWK set, a directory of issuers, or a DID document."""
    members = document.get("keys")
    if isinstance(members, list):
        issuer = document.get("issuer")
        return _read_set(members, issuer if isinstance(issuer, str) else None)
    if isinstance(document.get("issuerInfo"), list):
        return _read_directory(document["issuerInfo"])
    if "verificationMethod" in document:
        from . import gdhcn

        listed = gdhcn.load(document)
        return KeySource(listed.ring().keys, (listed,))
    return KeySource((read_jwk(document),))


def _read_directory(entries: list[Any]) -> KeySource:
    """Keys of a directory of card issuers (the form of VCI's snapshots): each belongs to its issuer alone."""
    return read_all(entries, _read_entry)


def _read_entry(entry: Any) -> KeySource:
    issuer = entry.get("issuer") if isinstance(entry, Mapping) else None
    address = issuer.get("iss") if isinstance(issuer, Mapping) else None
    if not isinstance(address, str) or not isinstance(entry.get("keys"), list):
        raise BadInput("An entry of a directory of issuers names no issuer or no keys.", "Fetch it again.")
    lists = entry.get("crls")
    named = {
        each["kid"]: each
        for each in (lists if isinstance(lists, list) else ())
        if isinstance(each, Mapping) and isinstance(each.get("kid"), str)
    }
    found = _read_set(entry["keys"], address)
    return found._replace(keys=tuple(replace(key, revocations=named.get(key.name)) for key in found.keys))


def _read_set(members: list[Any], issuer: str | None) -> KeySource:
    """Keys of a set; those of a type that is not known are left out (RFC 7517, 5), unless all are."""
    if not all(isinstance(member, Mapping) for member in members):
        raise BadInput("A JSON Web Key is not a public key.", "Give the public part alone.")
    return read_all(members, lambda member: KeySource((read_jwk(member, issuer=issuer),)))


@lru_cache(maxsize=8192)
def _certified_key(source: bytes | str) -> VerificationKey:
    """Key of a certificate, or a bare public key, which has no id."""
    der = to_der(source)
    public_key = read_public_key(der)
    if public_key is not None:
        return VerificationKey(public_key=public_key, key_ids=frozenset(), name="")
    if is_private_key(der):
        raise PrivateKeyGiven("A private key was given among the keys.", "Give the public part alone.")
    certificate = read_certificate(der)
    return VerificationKey(
        public_key=certificate.public_key,
        key_ids=certified_ids(certificate.key_id),
        name=base64.b64encode(certificate.key_id).decode(),
        usage=certificate.usage,
        issuer=certificate.country,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
    )
