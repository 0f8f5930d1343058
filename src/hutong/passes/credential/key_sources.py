"""Sources of keys: certificates, JSON Web Keys and sets, directories of issuers, trust lists, and files of them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from hutong.errors import BadInput, LimitExceeded

from .certificates import read_certificate, read_public_key, split_pem, to_der
from .keys import VerificationKey, certified_ids, read_jwk

if TYPE_CHECKING:
    from .gdhcn import TrustDocument

MAX_KEYS = 100_000


class KeySource(NamedTuple):
    """What one source of keys, or several, hold: keys, and the trust lists that these were read from."""

    keys: tuple[VerificationKey, ...] = ()
    documents: tuple[TrustDocument, ...] = ()


def gather(sources: Iterable[KeySource]) -> KeySource:
    """Several sources as one.

    Raises:
        LimitExceeded: more than 100,000 keys.
    """
    keys: list[VerificationKey] = []
    documents: list[TrustDocument] = []
    for source in sources:
        keys += source.keys
        documents += source.documents
        if len(keys) > MAX_KEYS:
            raise LimitExceeded(f"More than {MAX_KEYS} keys were given.", "Give the keys of fewer issuers.")
    return KeySource(tuple(keys), tuple(documents))


def tell(source: KeySource) -> tuple[str, ...]:
    """What its trust lists hold that can't be used, one sentence each."""
    if not source.documents:
        return ()
    from . import gdhcn

    return gdhcn.tell(source.documents)


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
    return KeySource(tuple(_certified_key(block) for block in split_pem(text)[: MAX_KEYS + 1]))


def _read_list(sources: Sequence[Any]) -> KeySource:
    if any(isinstance(source, list | tuple) for source in sources):
        raise BadInput("A list of keys holds a list.", "Give one list of certificates and JSON Web Keys.")
    return gather(map(read_keys, sources))


def _read_document(document: Mapping[str, Any]) -> KeySource:
    """Keys of a JWK, a JWK set, a directory of issuers, or a DID document."""
    members = document.get("keys")
    if isinstance(members, list):
        issuer = document.get("issuer")
        return KeySource(_read_set(members, issuer if isinstance(issuer, str) else None))
    if isinstance(document.get("issuerInfo"), list):
        return KeySource(_read_directory(document["issuerInfo"]))
    if "verificationMethod" in document:
        from . import gdhcn

        listed = gdhcn.load(document)
        return KeySource(listed.ring().keys, (listed,))
    return KeySource((read_jwk(document),))


def _read_directory(entries: list[Any]) -> tuple[VerificationKey, ...]:
    """Keys of a directory of card issuers (the form of VCI's snapshots): each belongs to its issuer alone."""
    found: list[VerificationKey] = []
    for entry in entries[: MAX_KEYS + 1]:
        issuer = entry.get("issuer") if isinstance(entry, Mapping) else None
        address = issuer.get("iss") if isinstance(issuer, Mapping) else None
        if not isinstance(address, str) or not isinstance(entry.get("keys"), list):
            raise BadInput("An entry of a directory of issuers names no issuer or no keys.", "Fetch it again.")
        lists = entry.get("crls")
        named = (
            {each.get("kid"): each for each in lists if isinstance(each, Mapping)} if isinstance(lists, list) else {}
        )
        found.extend(replace(key, revocations=named.get(key.name)) for key in _read_set(entry["keys"], address))
    return tuple(found)


def _read_set(members: list[Any], issuer: str | None) -> tuple[VerificationKey, ...]:
    """Keys of a set; those of a type that is not known are left out (RFC 7517, 5), unless all are."""
    keys: list[VerificationKey] = []
    refused: BadInput | None = None
    for member in members[: MAX_KEYS + 1]:
        try:
            keys.append(read_jwk(member, issuer=issuer))
        except BadInput as error:
            if not isinstance(member, Mapping) or "d" in member:
                raise
            refused = error
    if refused is not None and not keys:
        raise refused
    return tuple(keys)


@lru_cache(maxsize=8192)
def _certified_key(source: bytes | str) -> VerificationKey:
    """Key of a certificate, or a bare public key, which has no id."""
    der = to_der(source)
    public_key = read_public_key(der)
    if public_key is not None:
        return VerificationKey(public_key=public_key, key_ids=frozenset(), name="")
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
