"""An agreement says in ODRL what was agreed, no more and no less; its signature holds it."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pyoxigraph as ox
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.errors import BadInput, Conflict, HutongError, Tampered
from hutong.sharing.agreement import (
    Agreement,
    KeptAgreement,
    make_agreement,
    parse_agreement,
    read_agreement,
    sign_agreement,
    told_revocation,
)
from hutong.sharing.demand import PURPOSES
from hutong.trust.keys import signing_jwk
from hutong.trust.signing import sign_document
from tests.sharing.test_demand import FILED, GRANTED, NOW

KEY = Ed25519PrivateKey.generate()
JWK = signing_jwk(KEY, node_id="tw")
AGREED = make_agreement(
    replace(GRANTED, fields=("age_group", "sex"), version="2"),
    agreement_id="a" * 20,
    target="https://tw.example/id/dataset/records/release/2",
    agreed_at=NOW,
    days=14,
)
SIGNED = sign_agreement(AGREED, key=KEY, kid=JWK["kid"])

agreements = st.builds(
    Agreement,
    id=st.text("0123456789abcdefghjkmnpqrstvwxyz", min_size=20, max_size=20),
    request_id=st.just("b" * 20),
    provider=st.sampled_from(["tw", "region-4"]),
    recipient=st.sampled_from(["pe", "account:institute"]),
    dataset_id=st.sampled_from(["records", "tw-dengue_records"]),
    target=st.just("https://tw.example/id/dataset/records"),
    purpose=st.sampled_from(sorted(PURPOSES)),
    statement=st.text(min_size=20, max_size=200),
    agreed_at=st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    expires_at=st.datetimes(datetime(2091, 1, 1), datetime(2092, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    version=st.sampled_from(["", "1", "2024.1"]),
    fields=st.lists(st.from_regex(r"[a-z_][a-z0-9_]{0,20}", fullmatch=True), unique=True, max_size=5).map(tuple),
)


@settings(max_examples=100, deadline=None)
@given(agreements)
def test_signed_and_read_it_is_the_same(agreed: Agreement) -> None:
    assert read_agreement(sign_agreement(agreed, key=KEY, kid="k"), key=JWK) == agreed


def test_it_ends_no_later_than_was_asked() -> None:
    agreed = make_agreement(FILED, agreement_id="a" * 20, target="https://x.example/d", agreed_at=NOW, days=30)
    assert agreed.expires_at - agreed.agreed_at == timedelta(days=30)
    for days, kind in ((0, BadInput), (31, Conflict), (367, BadInput)):
        with pytest.raises(kind):
            make_agreement(FILED, agreement_id="a" * 20, target="https://x.example/d", agreed_at=NOW, days=days)


def test_another_key_another_kind_and_another_bit() -> None:
    stranger = signing_jwk(Ed25519PrivateKey.generate(), node_id="tw")
    with pytest.raises(Tampered):
        read_agreement(SIGNED, key=stranger)
    with pytest.raises(BadInput, match="not a signed agreement"):
        read_agreement(sign_document(KEY, kid="k", kind="trust-list", payload=AGREED.document()), key=JWK)
    refused = 0
    for place in range(0, len(SIGNED), 7):
        other = "A" if SIGNED[place] != "A" else "B"
        with pytest.raises(HutongError):
            read_agreement(SIGNED[:place] + other + SIGNED[place + 1 :], key=JWK)
        refused += 1
    assert refused > 100


def altered(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(AGREED.document()), **changes}


def without(name: str) -> dict[str, Any]:
    document = altered()
    del document[name]
    return document


def in_permission(change: Any) -> dict[str, Any]:
    document = altered()
    change(document["permission"][0])
    return document


@pytest.mark.parametrize(
    "document",
    [
        {},
        *(without(name) for name in AGREED.document() if name != "hutong:version"),
        altered(prohibition=[{"action": "derive"}]),
        altered(obligation=[{"action": "compensate"}]),
        altered(permission=[]),
        altered(permission=AGREED.document()["permission"] * 2),
        altered(timestamp="2026-02-30T00:00:00Z"),
        altered(**{"@id": "urn:hutong:agreement:../../x"}),
        altered(**{"@type": "Offer"}),
        altered(assignee="urn:hutong:party:somebody-else"),
        in_permission(lambda rule: rule.update(action="distribute")),
        in_permission(lambda rule: rule["constraint"].pop(1)),
        in_permission(lambda rule: rule["duty"].pop()),
        in_permission(lambda rule: rule["constraint"][1].update(operator="gteq")),
        in_permission(lambda rule: rule["constraint"][0]["rightOperand"].update({"@id": "http://example.org/any"})),
        in_permission(lambda rule: rule["constraint"][2].update(rightOperand=[])),
        in_permission(
            lambda rule: rule["constraint"][0]["rightOperand"].update(
                {"@id": "http://purl.obolibrary.org/obo/DUO_9999999"}
            )
        ),
    ],
)
def test_what_does_not_have_the_shape_is_not_read(document: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        parse_agreement(document)


def test_its_state_is_that_of_the_moment() -> None:
    kept = KeptAgreement(AGREED, SIGNED)
    assert kept.state(AGREED.agreed_at) == "in-force"
    assert kept.state(AGREED.expires_at - timedelta(seconds=1)) == "in-force"
    assert kept.state(AGREED.expires_at) == "ended"
    assert replace(kept, revoked_at=NOW).state(AGREED.agreed_at) == "revoked"


@pytest.mark.conformance
def test_it_is_an_agreement_of_the_dataspace_protocol(fixtures: Path) -> None:
    schema = orjson.loads((fixtures / "dsp" / "2025-1" / "negotiation" / "contract-schema.json").read_bytes())
    validator = jsonschema_rs.Draft201909Validator({**schema, "allOf": [{"$ref": "#/definitions/Agreement"}]})
    documents = [AGREED.document(), replace(AGREED, version="", fields=()).document()]
    for document in documents:
        assert [error.message for error in validator.iter_errors(document)] == []
    wrong = altered()
    del wrong["assigner"]
    assert not validator.is_valid(wrong)


@pytest.mark.conformance
def test_it_is_odrl_in_json_ld(fixtures: Path) -> None:
    context = orjson.loads((fixtures / "dsp" / "2025-1" / "context" / "odrl.jsonld").read_bytes())["@context"]
    document = altered()
    document["@context"] = [context, document["@context"][1]]
    triples = {
        (quad.predicate.value.rsplit("/", 1)[-1], str(getattr(quad.object, "value", "")))
        for quad in ox.parse(orjson.dumps(document), format=ox.RdfFormat.JSON_LD)
    }
    odrl, duo = "http://www.w3.org/ns/odrl/2/", "http://purl.obolibrary.org/obo/"
    expected = {
        ("action", odrl + "use"),
        ("action", odrl + "distribute"),
        ("action", odrl + "attribute"),
        ("action", odrl + "inform"),
        ("leftOperand", odrl + "purpose"),
        ("leftOperand", odrl + "dateTime"),
        ("leftOperand", "urn:hutong:odrl:field"),
        ("operator", odrl + "lteq"),
        ("rightOperand", duo + "DUO_0000006"),
        ("rightOperand", "sex"),
        ("assignee", "urn:hutong:party:pe"),
        ("assigner", "urn:hutong:party:tw"),
        ("target", "https://tw.example/id/dataset/records/release/2"),
        ("conflict", odrl + "prohibit"),
        ("profile", "urn:hutong:odrl:1"),
    }
    assert expected <= triples
    assert len(expected) == 15


def test_a_revocation_is_read_as_its_provider_tells_it() -> None:
    later = NOW + timedelta(hours=2)
    assert told_revocation({"revoked_at": None, "revoked_because": ""}, AGREED, now=later) is None
    told = told_revocation({"revoked_at": later.isoformat(), "revoked_because": "It ended."}, AGREED, now=later)
    assert told and (told.at, told.because) == (later, "It ended.")
    wrong: list[dict[str, Any]] = [
        *({"revoked_at": at} for at in ("yesterday", 5, "2020-01-01T00:00:00Z", NOW.isoformat()[:19])),
        *({"revoked_at": at} for at in ("9999-12-31T23:59:59-14:00", (later + timedelta(days=2)).isoformat())),
        *({"revoked_at": later.isoformat(), "revoked_because": because} for because in ("a\x1b[31mb", "x" * 2001)),
    ]
    for document in wrong:
        with pytest.raises(BadInput):
            told_revocation(document, AGREED, now=later)
