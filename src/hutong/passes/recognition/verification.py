"""Verification: what a pass is worth here and now, offline: accepted, refused or unknown, and why.

A pure function of the pass, the trust bundle, the rules, the scene and the time. What is certain comes first (not a
pass, forged, over, revoked); what can't be known is *unknown*, never accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from hutong.errors import HutongError

from .. import documents
from ..credential.dcc import kinds_of
from ..credential.dcc_revocation import NOT_WHOLE, RevocationLists
from ..credential.keys import VerificationKey
from ..credential.level_pass import LevelPass
from ..credential.read import ReadPass, read_pass
from ..credential.status_list import StatusList
from ..documents import Document, Reason, Texts
from ..moment import moment
from ..rulebook.rulebook import UNKNOWN
from ..trust_bundle.trust_bundle import EmergencyEnd, IssuerTrust, TrustSnapshot, read_trust
from .eu_rules import judge_certificate
from .recognition import AcceptanceRules, Scene, judge, read_acceptance
from .verdict import Answer, unknown

CLOCK_SKEW = timedelta(minutes=5)
EU_DCC = "eu-dcc"

_SENTENCES: Mapping[str, Texts] = {
    "not-understood": {
        "en": "This is not a pass that can be read here.",
        "zh": "这不是本地能够识读的通行凭证。",
    },
    "kind-not-recognised": {
        "en": "No rule here says what this kind of certificate is worth. Ask the health authority here about it.",
        "zh": "本地没有规则说明这类证书的效力，请向当地卫生健康部门询问。",
    },
    "list-too-old": {
        "en": "The trust list on this device is too old to decide.",
        "zh": "本设备上的信任清单过旧，无法判断。",
    },
    "clock-wrong": {
        "en": "The clock of this device is earlier than its trust list.",
        "zh": "本设备的时钟早于信任清单的签发时间。",
    },
    "no-key": {
        "en": "No listed party has the key that signed this pass.",
        "zh": "信任清单中没有任何机构持有签发此凭证的密钥。",
    },
    "signature-invalid": {
        "en": "The signature does not fit: the pass was altered or forged.",
        "zh": "签名不符：此凭证被篡改或伪造。",
    },
    "issuer-mismatch": {
        "en": "The pass names another issuer than the one whose key signed it.",
        "zh": "此凭证所称的签发方与签名密钥的持有方不一致。",
    },
    "issuer-ended": {
        "en": "The issuer's entry in the trust list has ended.",
        "zh": "签发方在信任清单中的条目已到期。",
    },
    "key-ended": {
        "en": "The pass was issued after its key had ended.",
        "zh": "此凭证签发时，其密钥已经失效。",
    },
    "key-not-begun": {
        "en": "The pass was issued before its key was valid.",
        "zh": "此凭证签发时，其密钥尚未生效。",
    },
    "key-compromised": {
        "en": "The key that signed this pass was compromised. Its holder can get a new pass from the issuer.",
        "zh": "签发此凭证的密钥已泄露，持有人可向签发方重新领取。",
    },
    "key-not-for-kind": {
        "en": "The key that signed this certificate is for certificates of another type.",
        "zh": "签发此证书的密钥仅可用于其他类型的证书。",
    },
    "no-times": {
        "en": "The certificate does not say when it was issued and until when it is valid.",
        "zh": "此证书未载明签发时间或有效期。",
    },
    "not-yet-valid": {"en": "The pass is not valid yet.", "zh": "此凭证尚未生效。"},
    "expired": {
        "en": "The pass has expired. Until its emergency ends its holder can get a new one.",
        "zh": "此凭证已过期。突发事件结束前，持有人可重新领取。",
    },
    "certificate-expired": {
        "en": "The certificate has expired. Its holder can ask who issued it for a new one.",
        "zh": "此证书已过期，持有人可向签发方申请换发。",
    },
    "emergency-ended": {
        "en": "The emergency that this pass rests on ended on {day}. Passes of it are valid no more.",
        "zh": "此凭证所依据的突发事件已于{day}结束，相关凭证均不再有效。",
    },
    "revoked": {"en": "The issuer has revoked this pass.", "zh": "签发方已撤销此凭证。"},
    "no-status-list": {
        "en": "There is no revocation list for this pass on this device.",
        "zh": "本设备上没有此凭证对应的撤销清单。",
    },
    "status-list-too-old": {
        "en": "The revocation list on this device is too old to decide.",
        "zh": "本设备上的撤销清单过旧，无法判断。",
    },
}


class Verification(NamedTuple):
    """The answer to one pass.

    Attributes:
        answer: accepted, refused or unknown.
        reasons: the rules that gave the answer, with their sentences.
        kind: of :func:`~.credential.read.read_pass`, or "unknown".
        level, scale: the issuer's level, and where it lies on the common scale; None where not read.
        issuer: who claims to have signed the pass.
        list_number, list_age_seconds: edition and age of the trust bundle.
        status_age_seconds: since the date that the revocation list states which was asked (nodes state the full hour in
            which they signed it); None when none was.
        facts: what the holder disclosed, by name; empty unless the signature fits.
    """

    answer: Answer
    reasons: tuple[Reason, ...]
    scene: str
    at: datetime
    kind: str = UNKNOWN
    level: str | None = None
    scale: str | None = None
    issuer: str | None = None
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    list_number: int | None = None
    list_age_seconds: int | None = None
    status_age_seconds: int | None = None
    facts: Mapping[str, Any] = MappingProxyType({})

    def document(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "answer": str(self.answer),
            "reasons": [{"rule_id": reason.rule_id, "text": dict(reason.texts)} for reason in self.reasons],
            "scene": self.scene,
            "at": self.at.isoformat(),
            "kind": self.kind,
            "level": self.level,
            "scale": self.scale,
            "issuer": self.issuer,
            "issued_at": self.issued_at.isoformat() if self.issued_at else None,
            "expires_at": self.expires_at.isoformat() if self.expires_at else None,
            "list_number": self.list_number,
            "list_age_seconds": self.list_age_seconds,
            "status_age_seconds": self.status_age_seconds,
            "facts": dict(self.facts),
        }


def verify_pass(
    text: str | bytes,
    *,
    trust: TrustSnapshot | Mapping[str, Any] | str | Path,
    rules: AcceptanceRules | Document | Path | str | bytes | None = None,
    scene: Scene | str,
    at: datetime | str,
    revocations: RevocationLists | Path | None = None,
) -> Verification:
    """Decide about a pass, offline.

    Args:
        text: what the QR code holds, or the bytes of a PNG or JPEG picture of it.
        trust: a :class:`TrustSnapshot`, or the file of a signed bundle with its signer's key (see ``read_trust``).
        rules: acceptance rules (parsed, their document as object or text, or its path); None takes those of the bundle.
        scene: one of ``Scene``; for another one there is no rule, and the answer is unknown.
        at: the time of verification, in UTC where it names no zone; a text is ISO 8601.
        revocations: further revocation lists of the EU DCC, or their file or folder, beside those in the bundle.
            Without either nothing tells whether such a certificate was revoked, and none is refused for it.

    Raises:
        BadInput, NotFound, Tampered, LimitExceeded, Unavailable: for unusable trust, rules, lists or time; never for
            what a pass holds.
    """
    at = moment(at)
    snapshot, scene = read_trust(trust), str(scene)
    acceptance = _acceptance(rules, snapshot)
    age_seconds = _seconds_between(snapshot.issued_at, at)
    lists = RevocationLists.load(revocations) if isinstance(revocations, Path) else revocations
    if (carried := snapshot.eu_revocations) is not None:
        lists = carried.lists if lists is None else carried.lists.beside(lists)
    try:
        read = read_pass(text, keys=snapshot.ring, revocations=lists, at=at)
    except HutongError as error:
        sentence = _SENTENCES["not-understood"]
        because = Reason("not-understood", {**sentence, "en": f"{sentence['en']} {error.what}"})
        return Verification(
            answer=Answer.UNKNOWN,
            reasons=(because,),
            scene=scene,
            at=at,
            list_number=snapshot.number,
            list_age_seconds=age_seconds,
        )
    answer, reasons, scale, status = _decide(read, snapshot, acceptance, scene, at)
    own = read.claims
    return Verification(
        answer=answer,
        reasons=reasons,
        scene=scene,
        at=at,
        kind=read.kind,
        level=own.level if own is not None else None,
        scale=scale,
        issuer=read.issuer,
        issued_at=read.issued_at,
        expires_at=read.expires_at,
        list_number=snapshot.number,
        list_age_seconds=age_seconds,
        status_age_seconds=_seconds_between(status.issued_at, at) if status is not None else None,
        facts=read.payload["facts"] if own is not None and read.signature_valid else {},
    )


def _decide(
    read: ReadPass, snapshot: TrustSnapshot, acceptance: AcceptanceRules | None, scene: str, at: datetime
) -> tuple[Answer, tuple[Reason, ...], str | None, StatusList | None]:
    """Answer, reasons, place on the common scale, revocation list; the last two are None where it needs no rules."""
    if read.revoked and read.signature_valid:
        return Answer.REFUSED, _reasons("revoked"), None, None
    if read.kind == EU_DCC and (found := _decide_certificate(read, snapshot, acceptance, scene, at)):
        return *found, None, None
    if refused := _refused(read, snapshot, at):
        return Answer.REFUSED, _reasons(refused, read, snapshot), None, None
    if missing := _missing(read, snapshot, at):
        return Answer.UNKNOWN, _reasons(missing), None, None
    claims = read.claims
    assert claims is not None
    issuer = snapshot.issuers[claims.issuer]
    crosswalk = issuer.crosswalk(claims.rulebook, documents.semver(claims.version)[0], at)
    verdict = judge(_shown(read, claims), crosswalk, acceptance, scene, at)
    return verdict.answer, verdict.reasons, verdict.scale, issuer.status_lists[claims.status_list]


def _decide_certificate(
    read: ReadPass, snapshot: TrustSnapshot, acceptance: AcceptanceRules | None, scene: str, at: datetime
) -> tuple[Answer, tuple[Reason, ...]] | None:
    """Answer and reasons to an EU certificate that is on no list of revoked ones.

    Refused whatever rules there are, where it is certain that it is not valid; None where nothing but rules could say.
    """
    key, rules = read.key, acceptance.eu_dcc if acceptance is not None else None
    issuer = snapshot.issuers.get(key.issuer or "") if key is not None else None
    if key is not None and issuer is not None and (refused := _certificate_refused(read, key, issuer, at)):
        return Answer.REFUSED, _reasons(refused)
    if read.signature_valid is False or acceptance is None or rules is None:
        return None
    if issuer is None:
        return Answer.UNKNOWN, _reasons("no-key")
    missing = _outdated(snapshot, issuer, at)
    if missing is None and NOT_WHOLE in read.warnings:
        missing = "no-status-list"
    if missing is None and snapshot.eu_revocations is not None and snapshot.eu_revocations.is_too_old(at):
        missing = "status-list-too-old"
    if missing is None and not acceptance.period.holds(at):
        return unknown("rules-not-in-force")[:2]
    if missing is not None or read.valid_from is None or read.issued_at is None or read.expires_at is None:
        return Answer.UNKNOWN, _reasons(missing or "no-times")
    return judge_certificate(
        read.payload,
        rules,
        scene,
        at,
        issuer_country=issuer.territory.partition("-")[0],
        issued_at=read.issued_at,
        expires_at=read.expires_at,
    )[:2]


def _certificate_refused(read: ReadPass, key: VerificationKey, issuer: IssuerTrust, at: datetime) -> str | None:
    """Why an EU certificate that this key signed is certainly not valid. It can't outlive it (HCERT 1.1, 3.2.6)."""
    found = None
    begin = read.valid_from or read.issued_at
    ends = [end for end in (read.expires_at, key.not_after) if end is not None]
    if issuer.has_lost(key):
        found = "key-compromised"
    elif ends and at >= min(ends):
        found = "certificate-expired"
    elif begin is not None and begin - at > CLOCK_SKEW:
        found = "not-yet-valid"
    elif read.issued_at is not None and key.not_before is not None and read.issued_at < key.not_before:
        found = "key-not-begun"
    elif read.issued_at is not None and key.not_after is not None and read.issued_at > key.not_after:
        found = "key-ended"
    elif key.usage is not None and not kinds_of(read.payload) <= key.usage:
        found = "key-not-for-kind"
    return found


def _seconds_between(earlier: datetime, later: datetime) -> int:
    return max(0, int((later - earlier).total_seconds()))


def _shown(read: ReadPass, claims: LevelPass) -> dict[str, Any]:
    """What the rules may read of a pass."""
    return {
        "level": claims.level,
        "rulebook": claims.rulebook,
        "version": claims.version,
        "issuer": claims.issuer,
        "issued_at": claims.issued_at,
        "expires_at": claims.expires_at,
        "facts": read.payload.get("facts", {}),
    }


def _refused(read: ReadPass, snapshot: TrustSnapshot, at: datetime) -> str | None:
    """Why the pass is certainly not valid, whatever else may be unknown."""
    if read.signature_valid is False:
        return "signature-invalid"
    claims, key = read.claims, read.key
    if claims is None or key is None:
        return None
    holder = snapshot.issuers.get(key.issuer or "")
    found = None
    if holder is not None and holder.has_lost(key):
        found = "key-compromised"
    elif key.issuer != claims.issuer:
        found = "issuer-mismatch"
    elif at >= claims.expires_at:  # RFC 8392, 3.1.4
        found = "expired"
    elif claims.issued_at - at > CLOCK_SKEW:
        found = "not-yet-valid"
    elif key.not_after is not None and claims.issued_at > key.not_after:
        found = "key-ended"
    elif (end := _end(claims, snapshot)) is not None and at >= end.ended_at:
        found = "emergency-ended"
    elif _is_revoked(claims, snapshot.issuers.get(claims.issuer)):
        found = "revoked"
    return found


def _end(claims: LevelPass, snapshot: TrustSnapshot) -> EmergencyEnd | None:
    issuer = snapshot.issuers.get(claims.issuer)
    return issuer.end_of(claims.rulebook, claims.version) if issuer is not None else None


def _is_revoked(claims: LevelPass, issuer: IssuerTrust | None) -> bool:
    """A bit that was set is never cleared, so even a list that is too old refuses for certain."""
    status = issuer.status_lists.get(claims.status_list) if issuer is not None else None
    position = claims.status_position
    return status is not None and position < status.size and status.is_revoked(position)


def _missing(read: ReadPass, snapshot: TrustSnapshot, at: datetime) -> str | None:
    """What a verifier would have to know and does not."""
    if read.claims is None:
        return "kind-not-recognised"  # whoever's key signed it
    if read.signature_valid is None:
        return "no-key"
    issuer = snapshot.issuers[read.claims.issuer]
    status = issuer.status_lists.get(read.claims.status_list)
    found = _outdated(snapshot, issuer, at)
    if found is None and (status is None or read.claims.status_position >= status.size):
        found = "no-status-list"
    elif found is None and status is not None and at >= status.expires_at:
        found = "status-list-too-old"
    return found


def _outdated(snapshot: TrustSnapshot, issuer: IssuerTrust, at: datetime) -> str | None:
    """Why nothing follows from what the bundle says of an issuer."""
    if at - snapshot.issued_at > snapshot.max_age:
        return "list-too-old"
    if snapshot.issued_at - at > CLOCK_SKEW:
        return "clock-wrong"
    return "issuer-ended" if at >= issuer.valid_until else None


def _acceptance(rules: Any, snapshot: TrustSnapshot) -> AcceptanceRules | None:
    if rules is None:
        return snapshot.acceptance
    if isinstance(rules, AcceptanceRules):
        return rules
    return read_acceptance(documents.given_document(rules))


def _reasons(rule_id: str, read: ReadPass | None = None, snapshot: TrustSnapshot | None = None) -> tuple[Reason]:
    """The reason with its sentences; the end of an emergency with its day, from what the pass and the bundle say."""
    texts = _SENTENCES[rule_id]
    if rule_id == "emergency-ended" and read is not None and read.claims is not None and snapshot is not None:
        end = _end(read.claims, snapshot)
        day = end.ended_at.astimezone(UTC).date().isoformat() if end is not None else ""
        texts = {language: text.replace("{day}", day) for language, text in texts.items()}
    return (Reason(rule_id, texts),)
