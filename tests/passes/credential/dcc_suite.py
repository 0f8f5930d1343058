"""One DCC test vector, flag by flag: what each stage says, and what is known to be expected wrongly."""

from __future__ import annotations

import base64
import csv
import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hutong.errors import HutongError
from hutong.passes.credential import base45, cbor, cose, dcc, hcert, picture
from hutong.passes.credential.certificates import read_certificate
from hutong.passes.credential.keys import KeyRing

KNOWN = {  # the suite's own names of tests, and the flags that they stand for
    "test_cose_schema": ("SCHEMAVALIDATION",),
    "test_cose_json": ("VALIDJSON",),
    "test_cbor_json": ("DECODE",),
    "test_verification_check": ("VERIFY",),
}


class NotTestable(Exception):
    """The vector lacks what the stage needs."""


@dataclass(frozen=True)
class Suite:
    schemas: dcc.Schemas
    value_sets: Mapping[str, Any]


def load_known_issues(folder: Path) -> set[tuple[str, str, str]]:
    """(flag, country, test or "") of the suite's list of wrong expectations."""
    with (folder / "known_issues.csv").open(newline="") as file:
        return {
            (flag, row["country"], row["test_set"]) for row in csv.DictReader(file) for flag in KNOWN[row["test_name"]]
        }


def read_vector(path: Path) -> dict[str, Any]:
    vector: dict[str, Any] = json.loads(path.read_text("utf-8-sig"))
    return vector


def _need(vector: Mapping[str, Any], name: str) -> Any:
    if not vector.get(name):
        raise NotTestable(name)
    return vector[name]


def _dgc(claims_or_payload: bytes) -> Any:
    item = cbor.loads(claims_or_payload, "the vector")
    return item[hcert.HCERT][1] if hcert.HCERT in item else item


def _content(vector: Mapping[str, Any]) -> Any:
    if vector.get("COSE"):
        return hcert.read_claims(cose.parse(bytes.fromhex(vector["COSE"])).payload).contents[1]
    return _dgc(bytes.fromhex(_need(vector, "CBOR")))


def picture_decode(vector: Mapping[str, Any], _: Suite) -> bool:
    return picture.read(base64.b64decode(_need(vector, "2DCODE"))) == vector["PREFIX"]


def unprefix(vector: Mapping[str, Any], _: Suite) -> bool:
    return hcert.remove_prefix(vector["PREFIX"]) == vector.get("BASE45")


def base45_decode(vector: Mapping[str, Any], _: Suite) -> bool:
    decoded = base45.decode(_need(vector, "BASE45"))
    if vector.get("COMPRESSED"):
        return decoded == bytes.fromhex(vector["COMPRESSED"])
    return hcert.inflate(decoded) == bytes.fromhex(vector["COSE"])


def compression(vector: Mapping[str, Any], _: Suite) -> bool:
    packed = vector.get("COMPRESSED")
    compressed = bytes.fromhex(packed) if packed else base45.decode(_need(vector, "BASE45"))
    return hcert.inflate(compressed) == bytes.fromhex(vector["COSE"])


def verify(vector: Mapping[str, Any], _: Suite) -> bool:
    message = cose.parse(bytes.fromhex(vector["COSE"]))
    return cose.verify(message, KeyRing.of([vector["TESTCTX"]["CERTIFICATE"]]))[0] is True


def decode(vector: Mapping[str, Any], _: Suite) -> bool:
    return dcc.same(_dgc(bytes.fromhex(_need(vector, "CBOR"))), _need(vector, "JSON"))


def valid_json(vector: Mapping[str, Any], _: Suite) -> bool:
    wanted = _need(vector, "JSON")
    text = vector["PREFIX"]
    if vector.get("2DCODE"):
        text = picture.read(base64.b64decode(vector["2DCODE"]))
    claims = hcert.read_claims(cose.parse(hcert.unpack(text)).payload)
    return dcc.same(claims.contents[1], wanted)


def expiration(vector: Mapping[str, Any], _: Suite) -> bool:
    clock = dt.datetime.fromisoformat(_need(vector["TESTCTX"], "VALIDATIONCLOCK"))
    clock = clock if clock.tzinfo else clock.replace(tzinfo=dt.UTC)
    return hcert.read_claims(cose.parse(bytes.fromhex(_need(vector, "COSE"))).payload).valid_at(clock)


def key_usage(vector: Mapping[str, Any], _: Suite) -> bool:
    certificate = read_certificate(vector["TESTCTX"]["CERTIFICATE"])
    return certificate.may_sign(dcc.kinds_of(_content(vector)))


def schema_validation(vector: Mapping[str, Any], suite: Suite) -> bool:
    return not suite.schemas.check(vector.get("JSON") or _content(vector))


def value_sets(vector: Mapping[str, Any], suite: Suite) -> bool:
    return not dcc.check_value_sets(dcc.normalise(vector["JSON"]), suite.value_sets)


STAGES: dict[str, Callable[[Mapping[str, Any], Suite], bool]] = {
    "PICTUREDECODE": picture_decode,
    "UNPREFIX": unprefix,
    "B45DECODE": base45_decode,
    "COMPRESSION": compression,
    "VERIFY": verify,
    "DECODE": decode,
    "VALIDJSON": valid_json,
    "EXPIRATIONCHECK": expiration,
    "KEYUSAGE": key_usage,
    "SCHEMAVALIDATION": schema_validation,
}


def outcome(flag: str, vector: Mapping[str, Any], suite: Suite) -> bool:
    """Whether the stage succeeds; an error of Hutong's tree is a failure of the stage, any other is a defect."""
    try:
        return STAGES[flag](vector, suite)
    except HutongError:
        return False
