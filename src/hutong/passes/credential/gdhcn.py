"""Trust lists of the WHO Global Digital Health Certification Network: DID documents that hold document signers' keys.

A document lists verification methods (W3C DID Core 1.0, 5.2); each id tells participant, domain and usage::

    did:web:<host>:v2:trustlist:<domain>:<participant>:<usage>#<key id, base64, percent-encoded>

or, since 2025, members ``domain``, ``participant`` and ``keyusage`` of the method. A list *by reference*
(``trustlist-ref``, GDHCN trust lists 2.0.0) names further documents instead of keys. Nothing is fetched: what was
handed over together, such as the files of a folder, answers a reference by its id; what is missing is told.

Lists hold the keys of signing authorities (SCA), of uploads (UP) and of connections (TLS) beside those of document
signers (DSC), and only the last may verify a certificate. Lists of version 1 name no usage: of these, a key whose
certificate is an authority's is one. So is one that a list calls a signer.

A proof (JsonWebSignature2020) is told and not checked. It signs SHA-256 of its own options and of the document, each
as canonical RDF, for which the JSON-LD contexts that the document names would have to be at hand and applied: no
bytes of the document as it was fetched are signed. What proves a list is the connection over which it was fetched.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

import orjson

from hutong.errors import BadInput, LimitExceeded

from .certificates import read_certificate
from .keys import KeyRing, VerificationKey, certified_ids, read_hexadecimal, read_jwk

MAX_BYTES = 50_000_000
MAX_METHODS = 100_000
SIGNER, AUTHORITY = "DSC", "SCA"
_MARK = "trustlist"
_ANY = ("", "-")
"""What stands in an id in the place of a domain, participant or usage that is not named."""
_NAMED = 5
"""How many ids a sentence about a list names."""
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """One key of the list: whose, for which domain (such as "DCC"; "-" for any) and usage (such as "DSC")."""

    key: VerificationKey
    participant: str
    domain: str
    usage: str


@dataclass(frozen=True, slots=True)
class TrustDocument:
    """A DID document read.

    Attributes:
        did: its id.
        keys: usable keys.
        references: ids of further documents, or of methods in them, that it names.
        skipped: ids of methods whose key cannot be used, with the reason.
        ids: its own, and those of the methods that it describes: what a reference may name.
        proof: type and key of its proof; None where it has none.
    """

    did: str
    keys: tuple[TrustedKey, ...]
    references: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]
    ids: frozenset[str]
    proof: str | None = None

    def ring(self) -> KeyRing:
        """Keys that may sign certificates, ready for reading passes; never an authority's."""
        return KeyRing.of([trusted.key for trusted in self.keys if trusted.usage == SIGNER])


def load(document: bytes | str | Mapping[str, Any]) -> TrustDocument:
    """Read a DID document.

    Raises:
        BadInput: not a DID document.
        LimitExceeded: more than 50 MB or 100,000 methods.
    """
    if not isinstance(document, Mapping):
        if len(document) > MAX_BYTES:
            raise LimitExceeded("The trust list is larger than 50 MB.", "Fetch the list of one participant.")
        try:
            document = orjson.loads(document)
        except orjson.JSONDecodeError:
            raise _refused() from None
    methods = document.get("verificationMethod", []) if isinstance(document, Mapping) else None
    did, proof = (document.get("id"), document.get("proof")) if isinstance(document, Mapping) else (None, None)
    if not isinstance(methods, list) or not isinstance(did, str):
        raise _refused()
    if len(methods) > MAX_METHODS:
        raise LimitExceeded("The trust list has more than 100,000 keys.", "Fetch the list of one participant.")
    keys, references, skipped, ids = [], [], [], {unquote(did)}
    for method in methods:
        if isinstance(method, str):
            references.append(method)
            continue
        name = method.get("id") if isinstance(method, Mapping) else None
        if not isinstance(name, str):
            skipped.append(("", "The method has no id."))
        elif "publicKeyJwk" not in method:
            references.append(name)
        else:
            ids.add(unquote(name))
            try:
                keys.append(_read_method(name, method))
            except BadInput as error:
                skipped.append((name, error.what))
    return TrustDocument(did, tuple(keys), tuple(references), tuple(skipped), frozenset(ids), _read_proof(proof))


def tell(documents: Sequence[TrustDocument]) -> tuple[str, ...]:
    """What the lists hold that can't be used, references to what none of them is or describes, and unchecked proofs."""
    at_hand = frozenset().union(*(document.ids for document in documents))
    told = []
    for document in documents:
        missing = [name for name in document.references if unquote(name) not in at_hand]
        if missing:
            told.append(
                f"The trust list {document.did} refers to {len(missing)} that are not at hand, so their keys are not"
                f" known: {some_of(missing)}."
            )
        if document.skipped:
            named = some_of([f"{name or 'one without an id'} ({why.rstrip('.')})" for name, why in document.skipped])
            told.append(f"{len(document.skipped)} of the trust list {document.did} can't be used: {named}.")
    if proofs := sorted({document.proof for document in documents if document.proof is not None}):
        told.append(
            f"The proofs of the trust lists are not checked ({some_of(proofs)}): they sign canonical RDF, which needs"
            " the JSON-LD contexts that the lists name."
        )
    return tuple(told)


def some_of(names: Sequence[str]) -> str:
    """The first five of them."""
    return ", ".join(names[:_NAMED]) + (" …" if len(names) > _NAMED else "")


def _refused() -> BadInput:
    return BadInput("The document is not a DID document.", "Fetch the trust list again.")


def _read_method(name: str, method: Mapping[str, Any]) -> TrustedKey:
    jwk = method["publicKeyJwk"]
    if not isinstance(jwk, Mapping):
        raise BadInput("The method holds no JSON Web Key.", "Ask the network's operator.")
    path, _, fragment = name.partition("#")
    stated = [method.get(member) for member in ("domain", "participant", "keyusage")]
    domain, participant, usage = (
        one if isinstance(one, str) and one else other for one, other in zip(stated, _read_path(path), strict=True)
    )
    key = read_jwk(jwk, issuer=participant if participant not in _ANY else None)
    usage = _usage(usage.upper(), jwk)
    ids = set(key.key_ids)
    for text in (unquote(fragment), jwk.get("kid")):
        for key_id in _decode_key_id(text):
            ids |= certified_ids(key_id)
    return TrustedKey(replace(key, key_ids=frozenset(ids), algorithm=None), participant, domain, usage)


def _read_path(path: str) -> tuple[str, str, str]:
    """Domain, participant, usage from the parts after ``trustlist``; version 1 lists name no domain."""
    parts = path.split(":")
    after = parts[parts.index(_MARK) + 1 :] if _MARK in parts else []
    after = [unquote(part) for part in after]
    if len(after) >= 3:
        return after[0], after[1], after[2]
    participant, usage = [*after, "", ""][:2]
    return "-", participant, usage


def _usage(stated: str, jwk: Mapping[str, Any]) -> str:
    """What a key is for: as stated, but that of an authority's certificate is an authority's, whatever is stated."""
    chain = jwk.get("x5c")
    if stated in (*_ANY, SIGNER) and isinstance(chain, list) and chain and isinstance(chain[0], str):
        try:
            if read_certificate(chain[0]).is_authority:
                return AUTHORITY
        except (BadInput, LimitExceeded):
            pass  # read_jwk took the key without it
    return SIGNER if stated in _ANY else stated


def _read_proof(proof: Any) -> str | None:
    """Type and key of a proof, or of the first of several."""
    first = proof[0] if isinstance(proof, list) and proof else proof
    if not isinstance(first, Mapping):
        return None
    named = [first.get(member) for member in ("type", "verificationMethod")]
    return " by ".join(one[:_LONGEST] for one in named if isinstance(one, str)) or "of no known type"


def _decode_key_id(text: object) -> set[bytes]:
    """The bytes that a text may mean as base64 or, where it is 16 digits of it, as hexadecimal."""
    if not isinstance(text, str) or not text:
        return set()
    written = read_hexadecimal(text)
    ids = {written} if written is not None else set()
    try:
        return {*ids, base64.b64decode(text + "=" * (-len(text) % 4), validate=True)}
    except (binascii.Error, ValueError):
        return ids
