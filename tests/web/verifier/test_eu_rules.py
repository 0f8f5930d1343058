"""EU certificates on the page: the same answer, by the same rules in the same words, as at the node."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from playwright.sync_api import Page

from hutong.errors import BadInput
from hutong.passes.credential import cose, hcert
from hutong.passes.credential.certificates import key_id_of
from hutong.passes.credential.dcc_revocation import RevocationLists, hashes_of
from hutong.passes.documents import shipped_document
from hutong.passes.recognition.eu_rules import EuRules, judge_certificate, read_eu_rules
from hutong.passes.recognition.recognition import Scene
from hutong.passes.recognition.verification import verify_pass
from hutong.passes.trust_bundle import eu_revocations
from tests.passes.credential.test_dcc_revocation import batch, filter_of, list_of, partition, write
from tests.passes.eu_rules_suite import suites
from tests.passes.test_eu_rules import BAD, rule, section
from tests.web.verifier import world
from tests.web.verifier.world import Site

pytestmark = pytest.mark.browser

JUDGE = """async (text) => {
  const {readEuRules, judgeCertificate} = await import('/static/verifier/eu-rules.js');
  const {document, cases} = JSON.parse(text);
  const rules = readEuRules(document);
  return rules && cases.map(({content, at}) => {
    const read = {content, issuedAt: at, expiresAt: at + 1000};
    const {answer, reasons} = judgeCertificate(read, rules, 'XB', 'border', at);
    return [answer, reasons];
  });
}"""
VERIFY = """async ({signed, key, cases}) => {
  const {readBundle} = await import('/static/verifier/bundle.js');
  const {verifyPass} = await import('/static/verifier/verify.js');
  const trust = await readBundle(signed, key);
  const answers = [];
  for (const {text, scene, at} of cases) {
    const {answer, reasons} = await verifyPass(text, trust, scene, at);
    answers.push([answer, reasons]);
  }
  return answers;
}"""
ANYTHING = {"ver": "1.3.0", "v": [{"dn": 2, "sd": 2, "dt": "2021-05-01", "tg": "840539006"}]}
USES = {"t": 1, "v": 2, "r": 3}
YEARS = {"ValidFrom": "2021-07-01T00:00:00Z", "ValidTo": "2150-01-01T00:00:00Z"}


def judged(page: Page, document: Any, cases: list[tuple[Any, datetime]]) -> Any:
    given = [{"content": payload, "at": at.timestamp() * 1000} for payload, at in cases]
    return page.evaluate(JUDGE, json.dumps({"document": document, "cases": given}))


def known(document: Any) -> EuRules:
    rules = read_eu_rules(document, tuple(Scene))
    assert rules is not None
    return rules


def expected(rules: EuRules, payload: Any, at: datetime) -> list[Any]:
    times = {"issued_at": at, "expires_at": at + timedelta(seconds=1)}
    verdict = judge_certificate(payload, rules, "border", at, issuer_country="XB", **times)
    return [str(verdict.answer), [(one.rule_id, dict(one.texts)) for one in verdict.reasons]]


def told(found: list[Any], reasons: list[tuple[str, dict[str, str]]]) -> list[Any]:
    """What the page answers; where it has a sentence of its own, the node's (another test compares these)."""
    own = dict(reasons)
    return [found[0], [(one["id"], one["texts"] or own.get(one["id"])) for one in found[1]]]


@pytest.mark.conformance
def test_the_rules_of_ten_countries_decide_as_at_the_node(module_page: Page, fixtures: Path) -> None:
    number, seen = 0, set()
    for suite in suites(fixtures / "dcc-business-rules"):
        cases = [(case.payload, case.at) for case in suite.cases]
        got, rules = judged(module_page, suite.rules, cases), known(suite.rules)
        for (payload, at), found in zip(cases, got, strict=True):
            wanted = expected(rules, payload, at)
            assert told(found, wanted[1]) == wanted, payload
            seen.add(found[0])
            number += 1
    assert number == 865
    assert seen == {"accepted", "refused", "unknown"}


def test_which_rules_count_is_decided_as_at_the_node(module_page: Page) -> None:
    newest = [rule(Logic=False), rule(Version="1.10.0", ValidFrom="2021-08-01T00:00:00Z"), rule(Version="1.9.0")]
    abroad = [rule(), rule(Type="Invalidation", Country="XB", Identifier="IR-XB-0001", Logic=False)]
    newer = [rule(EngineVersion="1.4.0"), rule(Identifier="VR-XA-0002", Region="north")]
    odd = [rule(Logic={"var": "payload.v.0.dn"}), rule(SchemaVersion="1.3.1", CertificateType="Test")]
    outside = rule(Logic={"===": [{"var": "external.validationClock"}, "2021-09-01T12:00:00.000+00:00"]})
    documents = [
        section(*rules) for rules in (newest, abroad, newer, odd, [outside], [rule(Logic=True, Version="9.0.0")])
    ]
    payloads = [
        *({"ver": "1.3.0", **more} for more in ({}, {"v": [{"dn": 1}]}, {"t": [{}]}, {"r": [{}]}, {"v": [{}, {}]})),
        *({"ver": "1.3.0", "v": [{}], "t": other} for other in ([], [{}], "", "no list", {}, {"0": {}}, 0, 1, None)),
        *({"ver": version, "v": [{}]} for version in ("1.0.0", "1.3", 1, None, "2.0.0")),
    ]
    days = ("2021-06-30", "2021-07-01", "2021-08-01", "2021-09-01", "2022-01-01")
    times = [datetime.fromisoformat(f"{day}T{hour}:00:00+00:00") for day in days for hour in ("00", "12")]
    cases = [(payload, at) for payload in payloads for at in times]
    seen = set()
    for document in documents:
        read = known(document)
        for (payload, at), found in zip(cases, judged(module_page, document, cases), strict=True):
            wanted = expected(read, payload, at)
            assert told(found, wanted[1]) == wanted, (document, payload, at)
            seen |= {found[0], *(one["id"] for one in found[1])}
    assert len(seen) == 9


def test_rules_of_another_form_are_none_as_at_the_node(module_page: Page) -> None:
    for document in [*BAD, None, [], 1]:
        is_none = read_eu_rules(document, tuple(Scene)) is None
        assert (judged(module_page, document, []) is None) is is_none, document


def certificate(key: Any, now: datetime, *types: str) -> bytes:
    """DER of a signer's certificate that names these types of certificates as its use."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "signer")])
    uses = [x509.ObjectIdentifier(f"1.3.6.1.4.1.1847.2021.1.{USES[one]}") for one in types]
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(now - world.DAYS).not_valid_after(now + world.DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def signed_by(region: world.Region, body: dict[Any, Any]) -> str:
    return hcert.pack(cose.Signer(region.key, key_id_of(region.certificate)).sign(cbor2.dumps(body)))


def texts_of(site: Site, signers: dict[str, world.Region]) -> list[str]:
    """Certificates of every kind of fate, as CBOR may write them."""
    now = int(site.now.timestamp())
    tw = signers["tw"]

    def body(content: Any = ANYTHING, **times: Any) -> dict[Any, Any]:
        return {1: "TW", 4: times.get("exp", now + 900_000), 6: times.get("iat", now - 900_000), -260: {1: content}}

    test = {"ver": "1.3.0", "t": [{"sc": "2021-05-01T10:00:00Z"}]}
    tagged = {
        **ANYTHING,
        "v": [{"dn": cbor2.CBORTag(1, 1_620_000_000), "sd": 2.0, "dt": cbor2.CBORTag(0, "2021-05-01")}],
    }
    message = cbor2.loads(hcert.unpack(signed_by(tw, body()))).value
    bodies = [body(), body(test), body({"ver": "1.3.0"}), body({**ANYTHING, "v": [{"dn": 1.0, "sd": 2}]}), body(tagged)]
    bodies += [
        body(exp=now - 1),
        body(exp=now + 7200),
        body(iat=now + 900),
        body(iat=now + 200),
        body(exp=cbor2.CBORTag(1, now + 99)),
    ]
    bodies += [{key: value for key, value in body().items() if key != gone} for gone in (1, 4, 6)]
    bodies += [body(exp="soon"), body(iat=None), body(cbor2.dumps(ANYTHING))]
    begins = (now + 900, now + 200, "x", cbor2.CBORTag(1, now + 900), None, cbor2.undefined)
    bodies += [{**body(), 5: begin} for begin in begins]
    bodies += [body(iat=0), body(exp=now + 86_400 * 500), body({**ANYTHING, "v": ["x"]})]
    texts = [signed_by(tw, one) for one in bodies]
    texts += [signed_by(signers[name], body(content)) for name in signers for content in (ANYTHING, test)]
    texts.append(hcert.pack(cbor2.dumps([*message[:2], message[2].replace(b"TW", b"DE"), message[3]])))
    return texts


ALL = ("VR-XA-0001", "VR-XA-0002", "GR-XA-0001", "VR-XA-0003")
FATES: list[tuple[str, ...]] = [
    *(("accepted", *ALL), ("accepted", "GR-XA-0001"), ("unknown", "not-one-entry")),
    *(("refused", "VR-XA-0001", "VR-XA-0002"), ("refused", "VR-XA-0001", "VR-XA-0002", "VR-XA-0003")),
    *(("refused", "certificate-expired"), ("accepted", *ALL), ("refused", "not-yet-valid")),
    *(("accepted", *ALL), ("accepted", *ALL), ("accepted", *ALL), *[("unknown", "no-times")] * 4, ("accepted", *ALL)),
    *(("refused", "not-yet-valid"), ("accepted", *ALL), ("unknown", "no-times"), ("refused", "not-yet-valid")),
    *(("accepted", *ALL), ("unknown", "no-times")),
    *(("refused", "key-not-begun"), ("accepted", *ALL), ("unknown", "not-one-entry")),
    *(("accepted", *ALL), ("refused", "key-not-for-kind")),
    *[("refused", "key-compromised")] * 2,
    *(("refused", "key-not-for-kind"), ("accepted", "GR-XA-0001")),
    *(("accepted", *ALL), ("accepted", "GR-XA-0001")),
    *(("refused", "GR-XA-0001", "IR-PE-0001"), ("refused", "GR-XA-0001")),
    *[("unknown", "no-key")] * 2,
    *(("accepted", *ALL), ("refused", "key-not-for-kind")),
    ("refused", "signature-invalid"),
]
"""What ``texts_of`` are worth at the border now."""
CERTAIN = (
    *("certificate-expired", "not-yet-valid", "key-not-begun", "key-not-for-kind", "key-compromised"),
    "signature-invalid",
)
WITHOUT_RULES = [one if one[1] in CERTAIN else ("unknown", "kind-not-recognised") for one in FATES]
"""And where no rules for them are known: what is certain is certain without them."""


def test_an_eu_certificate_gets_the_answer_of_the_node(module_page: Page, site: Site) -> None:
    """Through signature, times, keys and the bundle's age, at every scene and at many times."""
    now = site.now.replace(microsecond=0)
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("vaccinations", "lost", "tests")}
    ders = {name: certificate(key, now, *("t",) if name == "tests" else ("v", "r")) for name, key in keys.items()}
    signers = {name: world.Region("tw", site.regions["tw"].signing, keys[name], ders[name]) for name in keys}
    signers |= {"tw": site.regions["tw"], "pe": site.regions["pe"], "stranger": world.make_region("tw", now)}
    parties = [region.entry(now) for region in site.regions.values()]
    parties[0]["passes"] += [base64.b64encode(ders[name]).decode() for name in ("vaccinations", "tests")]
    bare = world.make_region("tw", now)  # its key is known without a certificate
    spki = bare.key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    named = [base64.b64encode(one).decode() for one in (key_id_of(bare.certificate), spki)]
    signers["bare"] = bare
    parties[0]["bare_keys"] = [[*named, "rv"]]
    parties[0]["compromised"] = [base64.b64encode(ders["lost"]).decode()]
    parties[1]["valid_until"] = (now + timedelta(hours=3)).isoformat()
    full = {"if": [{"var": "payload.v.0"}, {"===": [{"var": "payload.v.0.dn"}, {"var": "payload.v.0.sd"}]}, True]}
    listed = {"in": [{"var": "payload.v.0.tg"}, {"var": "external.valueSets.disease-agent-targeted"}]}
    about = {"CertificateType": "General", "Identifier": "GR-XA-0001"} | YEARS
    whole = {"===": [{"var": "external.issuerCountryCode"}, "TW"]}
    withdrawn = rule(Type="Invalidation", Country="PE", Identifier="IR-PE-0001", Logic=False, **YEARS)
    rules = [
        rule(Logic=full, **YEARS),
        rule(Identifier="VR-XA-0002", Logic=listed, **YEARS),
        rule(Logic=whole, **about),
    ]
    texts_in_rule = {"===": [{"var": "payload.v.0.dn"}, "2021-05-03T00:00:00Z"]}
    by_text = rule(Identifier="VR-XA-0003", Logic={"if": [texts_in_rule, False, True]}, **YEARS)
    foreign = section(*rules, withdrawn, by_text, scenes=["border", "transport"])
    foreign["value_sets"] = {"disease-agent-targeted": ["840539006"]}
    acceptance = shipped_document("scenes/dengue-three-levels", **world.period(now))
    short = {"valid_from": (now - timedelta(days=1)).isoformat(), "valid_to": (now + timedelta(hours=2)).isoformat()}
    seen = set()
    texts = texts_of(site, signers)
    for document in ({"eu_dcc": foreign}, {"eu_dcc": foreign, **short}, {"eu_dcc": foreign | {"new": 1}}, {}):
        signed = site.bundle(parties=parties, acceptance=acceptance | document)
        trust = site.snapshot(signed)
        hours = (0, 2, 4, 30, -1, 24 * 400)
        asked = [(text, scene, now) for text in texts for scene in ("border", "school", "moon")]
        asked += [(text, "border", now + timedelta(hours=ahead)) for text in texts for ahead in hours]
        cases = [{"text": text, "scene": scene, "at": at.timestamp() * 1000} for text, scene, at in asked]
        if "valid_to" not in document and document.get("eu_dcc") in (None, foreign):
            answers = [verify_pass(text, trust=trust, scene="border", at=now) for text in texts]
            found = [(str(one.answer), *(why.rule_id for why in one.reasons)) for one in answers]
            assert found == (FATES if document else WITHOUT_RULES)
        got = module_page.evaluate(VERIFY, {"signed": signed, "key": site.key, "cases": cases})
        for (text, scene, at), found in zip(asked, got, strict=True):
            verification = verify_pass(text, trust=trust, scene=scene, at=at)
            reasons = [(one.rule_id, dict(one.texts)) for one in verification.reasons]
            assert told(found, reasons) == [str(verification.answer), reasons], (texts.index(text), scene, at)
            seen |= {found[0], *(rule_id for rule_id, _ in reasons)}
    assert seen >= {
        *("accepted", "refused", "unknown", "signature-invalid", "no-key", "key-compromised", "key-not-for-kind"),
        *(
            "certificate-expired",
            "not-yet-valid",
            "no-times",
            "list-too-old",
            "clock-wrong",
            "issuer-ended",
            "not-one-entry",
        ),
        *("rules-not-in-force", "no-rule-for-scene", "kind-not-recognised", "IR-PE-0001"),
        *("VR-XA-0001", "VR-XA-0002", "VR-XA-0003", "GR-XA-0001"),
    }


def vaccinated(number: int, now: datetime) -> dict[Any, Any]:
    """A certificate body; its identifier's hash begins with FF and a high bit, where ``number`` is 0."""
    found = (f"URN:UVCI:01:TW:{number}:{n}" for n in range(9999))
    ci = next(one for one in found if number or hashlib.sha256(one.encode()).digest()[:2] >= b"\xff\x80")
    content = {**ANYTHING, "v": [{**ANYTHING["v"][0], "ci": ci, "co": "XX"}]}
    stamp = int(now.timestamp())
    return {1: "TW", 4: stamp + 900_000, 6: stamp - 900_000, -260: {1: content}}


def lists_about(texts: list[str], keys: dict[str, str], folder: Path) -> RevocationLists:
    """Lists of every form: the first certificates are on one each, the others on none, or of keys with gaps."""
    values = []  # of each: signature, identifier, and country with identifier (two)
    for text in texts:
        message = cose.parse(hcert.unpack(text))
        content = hcert.read_claims(message.payload).contents[1]
        values.append([one.value for one in hashes_of(message, "TW", content)])
    short, bloom = list_of(values[3][1], b"\1" * 16), filter_of(values[4][1], values[4][0])
    written = list_of(b"\0" + values[0][1][1:])
    unknown = list_of(values[6][1], size=5)
    kid = keys["tw"]
    partitions = [
        {**partition(one, kind=kind, x=value.hex()[0]), "kid": kid}
        for one, kind, value in (
            *((short, "VARHASHLIST", values[3][1]), (bloom, "BLOOMFILTER", values[4][1])),
            (written, "VARHASHLIST", values[0][1]),
        )
    ]
    documents = {
        "a": batch("SIGNATURE", values[1][0], b"\2" * 16, b"\xff" * 16, kid=kid),
        "b": batch("UCI", values[2][1], kid=kid),
        "c": batch("COUNTRYCODEUCI", values[5][3], kid="UNKNOWN_KID", country="TW"),
        "d": batch("UCI", values[7][3], values[8][0], kid=kid),  # hashes of another type revoke nothing
        "e": batch("UCI", values[9][1], kid=keys["another"]),
        "f": [*partitions, {**partition(unknown, kind="VARHASHLIST"), "kid": "UNKNOWN_KID"}],
        "g": {"kid": keys["gap"], "mode": "POINT", "hashTypes": ["UCI"]},
        **dict(zip("klmn", (short, bloom, written, unknown), strict=True)),
    }
    return RevocationLists.load(write(folder, **documents))


def test_a_revoked_eu_certificate_is_refused_as_at_the_node(module_page: Page, site: Site, tmp_path: Path) -> None:
    """By lists of every form in the bundle, whatever rules there are; and unknown where they are old or not whole."""
    now = site.now.replace(microsecond=0)
    gap_key = ec.generate_private_key(ec.SECP256R1())
    gap = world.Region("tw", site.regions["tw"].signing, gap_key, world.certificate_of(gap_key, now))
    parties = [region.entry(now) for region in site.regions.values()]
    parties[0]["passes"].append(base64.b64encode(gap.certificate).decode())
    texts = [signed_by(site.regions["tw"], vaccinated(number, now)) for number in range(10)]
    texts += [signed_by(gap, vaccinated(10, now)), site.regions["tw"].issue(now)]
    ids = {"tw": site.regions["tw"].certificate, "gap": gap.certificate, "another": b"another"}
    kids = {name: base64.b64encode(key_id_of(one)).decode() for name, one in ids.items()}
    lists = lists_about(texts[:10], kids, tmp_path)
    parts = eu_revocations.write_parts(lists)
    assert eu_revocations.write_parts(eu_revocations.read_parts(parts)) == parts
    acceptance = shipped_document("scenes/dengue-three-levels", **world.period(now))
    rules = {"eu_dcc": section(rule(Logic=True, **YEARS), scenes=["border"])}
    revoked, accepted = ("refused", "revoked"), ("accepted", "VR-XA-0001")
    fates: dict[tuple[int, bool], list[tuple[str, ...]]] = {
        (1, True): [*[revoked] * 7, *[accepted] * 3, ("unknown", "no-status-list")],
        (49, True): [*[revoked] * 7, *[("unknown", "status-list-too-old")] * 3, ("unknown", "no-status-list")],
        (49, False): [*[revoked] * 7, *[("unknown", "kind-not-recognised")] * 4],
    }
    for (hours, has_rules), wanted in fates.items():
        said = eu_revocations.write_section(now - timedelta(hours=hours), 48, parts)
        signed = site.bundle(
            parties=parties, acceptance=acceptance | (rules if has_rules else {}), dcc_revocations=said
        )
        trust = site.snapshot(signed)
        answers = [verify_pass(text, trust=trust, scene="border", at=now) for text in texts]
        told_ = [(str(one.answer), *(why.rule_id for why in one.reasons)) for one in answers]
        assert told_[:-1] == wanted
        cases = [{"text": text, "scene": "border", "at": now.timestamp() * 1000} for text in texts]
        got = module_page.evaluate(VERIFY, {"signed": signed, "key": site.key, "cases": cases})
        assert [(one[0], *(why["id"] for why in one[1])) for one in got] == told_


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_age_hours": 0},
        {"max_age_hours": 169},
        {"max_age_hours": "48"},
        {"as_of": "yesterday"},
        {"lists": ["AA"]},
        {"lists": ["?"]},
        {"lists": [base64.b64encode(cbor2.dumps({"key": b"k", "hashes": {}})).decode()]},
    ],
)
def test_a_bundle_whose_eu_lists_are_no_lists_is_refused_on_both_sides(
    module_page: Page, site: Site, wrong: dict[str, Any]
) -> None:
    said = {**eu_revocations.write_section(site.now, 48, []), **wrong}
    signed = site.bundle(dcc_revocations=said)
    with pytest.raises(BadInput):
        site.snapshot(signed)
    page_says = module_page.evaluate(
        """async ({signed, key}) => {
          const {readBundle} = await import('/static/verifier/bundle.js');
          return readBundle(signed, key).then(() => 'read', (error) => error.code ?? String(error));
        }""",
        {"signed": signed, "key": site.key},
    )
    assert page_says == "bad-input"
