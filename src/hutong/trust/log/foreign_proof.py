"""A proof that somebody brings: read from JSON with limits, and checked against the log that it names."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from hutong.errors import BadInput

from .journal import Entry, InclusionProof
from .note import VerifierKey, parse_verifier_key

MAX_PROOF_CHARACTERS = 200_000
MOST_HASHES = 63


@dataclass(frozen=True, slots=True)
class ForeignProof:
    """A proof as somebody gave it, with the key of the log that it names. Nothing of it is verified yet."""

    proof: InclusionProof
    key: VerifierKey

    @property
    def event(self) -> Mapping[str, Any]:
        return Entry(self.proof.index, self.proof.entry).event

    def verify(self) -> None:
        """Check the proof against the key that it names: whose log that is must be known otherwise. Raises Tampered."""
        self.proof.verify(self.key)


def read_proof(text: str) -> ForeignProof:
    """A proof in the JSON form of ``/api/log/entries/{index}/proof``. ``BadInput`` when it is none."""
    try:
        given = orjson.loads(text)
        hashes = given["hashes"]
        if len(hashes) > MOST_HASHES:
            raise BadInput("The proof has more hashes than any tree needs.", "Fetch it again.")
        proof = InclusionProof(
            index=int(given["index"]),
            size=int(given["size"]),
            entry=base64.b64decode(given["entry_base64"], validate=True),
            hashes=tuple(base64.b64decode(value, validate=True) for value in hashes),
            checkpoint=str(given["checkpoint"]).encode(),
        )
        held = orjson.loads(proof.entry)
        if not isinstance(held, dict):
            raise BadInput("The entry in the proof is not one.", "Fetch it again.")
        # The proof is over the bytes; whoever reads the other form must not read something else in it.
        if "entry" in given and _canonical(given["entry"]) != _canonical(held):
            raise BadInput(
                "The readable entry is not the one that the log holds.", "Believe entry_base64 only, or fetch it again."
            )
        return ForeignProof(proof, parse_verifier_key(str(given["verifier_key"])))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
        raise BadInput("This is no proof.", "Paste the whole JSON of an entry's proof.") from error


def _canonical(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
