"""Signers of EU certificates in a trust bundle: each country is a party, with its certificates among the others' keys.

A key that was published without a certificate stands under ``bare_keys``, which older readers pass over: its key id,
its SubjectPublicKeyInfo (both base64), and the types of certificates that it may sign, "" where nothing restricts them.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from hutong.errors import BadInput

from ..credential.certificates import KEY_ID_BYTES, read_public_key
from ..credential.dsc_list import Signer
from ..credential.keys import VerificationKey, certified_ids

PREFIX = "eu-dcc-"
MAX_CHARACTERS = 3 * 2**19
"""Of all keys in base64: signed, they take half of what readers take of a bundle's text."""


def party_entries(signers: Iterable[Signer], valid_until: datetime) -> dict[str, dict[str, Any]]:
    """A party for each country, as a bundle names it, by its id. It has no key of its own that could sign documents."""
    found: dict[str, dict[str, Any]] = {}
    for one in sorted(signers, key=lambda one: (one.country, one.key_id, one.der)):
        party = PREFIX + one.country.lower()
        entry = found.setdefault(
            party,
            {
                "id": party,
                "name": {"en": f"EU key list: {one.country}", "zh": f"欧盟密钥清单：{one.country}"},
                "territory": one.country,
                "signing": {},
                "passes": [],
                "valid_until": valid_until.isoformat(),
            },
        )
        der = base64.b64encode(one.der).decode()
        if one.is_certificate:
            entry["passes"].append(der)
        else:
            usage = "".join(sorted(one.usage or ()))
            entry.setdefault("bare_keys", []).append([base64.b64encode(one.key_id).decode(), der, usage])
    return found


def read_bare_key(item: Sequence[str]) -> VerificationKey:
    """The key of an entry under ``bare_keys``.

    Raises:
        BadInput: no key that is known here.
        TypeError, ValueError: not of the form.
    """
    name, spki, usage = item
    key_id, key = base64.b64decode(name, validate=True), read_public_key(base64.b64decode(spki, validate=True))
    if key is None or len(key_id) != KEY_ID_BYTES or not set(usage) <= set("tvr"):
        raise BadInput("A key of the trust bundle can't be read.", "Fetch it again.")
    return VerificationKey(
        public_key=key, key_ids=certified_ids(key_id), name=name, usage=frozenset(usage) if usage else None
    )
