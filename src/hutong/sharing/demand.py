"""Request: a demand for data, for a stated purpose, with a day by which it must be decided. Pure.

Purposes are terms of the Data Use Ontology (DUO, https://github.com/EBISPOT/DUO): a closed list, so that what was
asked, what was agreed and what is done can be compared by a policy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from hutong.errors import BadInput, Conflict, Refused

DECIDE_WITHIN = timedelta(days=10)
DECIDE_WITHIN_IN_EMERGENCY = timedelta(hours=48)
LONGEST_DAYS = 366
MOST_FIELDS = 200
SHORTEST_STATEMENT = 20
LONGEST_TEXT = 2_000
LONGEST_CONTACT = 254
CONTACT = r"^[^\s@\x00-\x1f\x7f]+@[^\s@\x00-\x1f\x7f]+$"
SHORTEST_REASON = 3
MOST_POLICIES = 20

PurposeCode = Literal["GRU", "HMB", "DS", "POA", "NPUNCU", "NCU", "CC", "PS"]
State = Literal["filed", "granted", "refused", "withdrawn"]
LATEST = ""

_DATASET = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
_VERSION = re.compile(r"(?:[0-9A-Za-z][0-9A-Za-z._-]{0,63})?")
_PARTY = re.compile(r"(?:account:)?[a-zA-Z0-9][a-zA-Z0-9.-]*")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}")
_POLICY = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
_CONTACT = re.compile(CONTACT)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Purpose:
    """One term of DUO: its short name, its id, and what it means in English and Chinese."""

    code: PurposeCode
    id: str
    label: Mapping[str, str]
    meaning: Mapping[str, str]

    @property
    def uri(self) -> str:
        """The term's IRI."""
        return "http://purl.obolibrary.org/obo/" + self.id.replace(":", "_")


def _purpose(code: PurposeCode, number: str, *texts: str) -> Purpose:
    label, label_zh, meaning, meaning_zh = texts
    return Purpose(code, f"DUO:{number}", {"en": label, "zh": label_zh}, {"en": meaning, "zh": meaning_zh})


PURPOSES: Mapping[str, Purpose] = MappingProxyType(
    {
        purpose.code: purpose
        for purpose in (
            _purpose("GRU", "0000042", "General research", "一般研究", "Any research purpose.", "任何研究用途。"),
            _purpose(
                "HMB",
                "0000006",
                "Health, medical or biomedical research",
                "健康、医学或生物医学研究",
                "Health, medical and biomedical purposes; not the study of origins or ancestry.",
                "健康、医学和生物医学用途；不包括人群起源或血统研究。",
            ),
            _purpose(
                "DS",
                "0000007",
                "Disease-specific research",
                "特定疾病研究",
                "Research on the disease that the request names.",
                "针对申请中所述疾病的研究。",
            ),
            _purpose(
                "POA",
                "0000011",
                "Population origins or ancestry research",
                "人群起源或血统研究",
                "The study of population origins or ancestry only.",
                "仅用于人群起源或血统研究。",
            ),
            _purpose(
                "NPUNCU",
                "0000018",
                "Not-for-profit, non-commercial use",
                "非营利机构的非商业用途",
                "Use by a not-for-profit organisation, for a purpose that is not commercial.",
                "由非营利机构用于非商业目的。",
            ),
            _purpose(
                "NCU",
                "0000046",
                "Non-commercial use",
                "非商业用途",
                "Any use that is not for profit.",
                "任何非营利性用途。",
            ),
            _purpose(
                "CC",
                "0000043",
                "Clinical care",
                "临床诊疗",
                "Clinical use and the care of patients.",
                "临床使用与患者照护。",
            ),
            _purpose(
                "PS",
                "0000027",
                "One approved project",
                "特定批准项目",
                "Only the project that the request describes.",
                "仅限申请中描述的项目。",
            ),
        )
    }
)


@dataclass(frozen=True, slots=True)
class Request:
    """One demand for data, as provider and asking party both keep it.

    ``version`` is empty for "always the latest release"; ``fields`` empty for all of them. ``party`` is a listed
    party's id, or ``account:NAME`` for a partner's account on the provider's node. ``emergency`` is the emergency in
    force when it was filed, which shortens the time for deciding from ten days to 48 hours. ``policies`` are the
    ids of those that permitted the last step: filing, deciding or taking it back.
    """

    id: str
    provider: str
    dataset_id: str
    party: str
    purpose: PurposeCode
    statement: str
    days: int
    contact: str
    filed_at: datetime
    decide_by: datetime
    version: str = LATEST
    fields: tuple[str, ...] = ()
    emergency: str = ""
    state: State = "filed"
    decided_at: datetime | None = None
    reason: str = ""
    agreement_id: str = ""
    policies: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _must(bool(re.fullmatch(r"[0-9a-z]{20}", self.id)), "The request's id is not one.", "Use the id as given.")
        fits = bool(_DATASET.fullmatch(self.dataset_id)) and len(self.dataset_id) <= 80
        _must(fits, "The dataset's id is not one.", "Copy it from the catalogue.")
        _must(bool(_VERSION.fullmatch(self.version)), "The version is not one.", "Copy it, or ask for the latest.")
        fits = bool(_PARTY.fullmatch(self.party)) and len(self.party) <= 60
        _must(fits, "The asking party's id is not usable.", "Use a listed party or a shorter account name.")
        _must(self.purpose in PURPOSES, f"{self.purpose!r:.40} is no purpose.", f"Choose from {', '.join(PURPOSES)}.")
        check_text(self.statement, "statement of purpose", least=SHORTEST_STATEMENT)
        check_text(self.contact, "contact", least=3, most=LONGEST_CONTACT)
        check_days(self.days)
        short = len(self.reason) <= LONGEST_TEXT and len(self.emergency) <= 60 and len(self.agreement_id) <= 40
        _must(short, "A part of the request is too long.", "Ask the other party for it again.")
        _must(len(self.fields) <= MOST_FIELDS, "Too many fields are asked.", f"At most {MOST_FIELDS}; or ask for all.")
        for name in self.fields:
            _must(bool(_FIELD.fullmatch(name)), f"{name[:60]!r} is no field's name.", "Copy it from the dataset.")
        _must(len(set(self.fields)) == len(self.fields), "A field is asked twice.", "Name each field once.")
        check_policies(self.policies)
        moments = (self.filed_at, self.decide_by, self.decided_at)
        zoned = all(moment.tzinfo for moment in moments if moment)
        _must(zoned, "A time of the request has no zone.", "Give it as ISO 8601 with a zone.")

    def document(self) -> dict[str, Any]:
        """JSON form."""
        moments = {
            name: value.isoformat() if value else None
            for name, value in (
                ("filed_at", self.filed_at),
                ("decide_by", self.decide_by),
                ("decided_at", self.decided_at),
            )
        }
        return {**asdict(self), "fields": list(self.fields), "policies": list(self.policies), **moments}

    @property
    def is_open(self) -> bool:
        """Whether it still waits for a decision."""
        return self.state == "filed"


@dataclass(frozen=True, slots=True)
class Task:
    """One step on a request's page: ``who`` must act by ``due`` (None: no deadline), and did at ``done_at``.

    What the recipient must delete at its own place is ``not-confirmed`` once it is due: nobody reports it here.
    """

    key: str
    text: Mapping[str, str]
    who: str
    state: Literal["done", "waiting", "overdue", "later", "not-needed", "not-confirmed"]
    due: datetime | None = None
    done_at: datetime | None = None


def _must(holds: bool, what: str, do: str) -> None:
    if not holds:
        raise BadInput(what, do)


def check_text(text: str, name: str, *, least: int = SHORTEST_REASON, most: int = LONGEST_TEXT) -> None:
    """``BadInput`` unless the text has ``least`` to ``most`` characters and no control characters."""
    fits = least <= len(text.strip()) and len(text) <= most and not _CONTROL.search(text)
    _must(fits, f"The {name} is not usable.", f"Write {least} to {most} characters of plain text.")


def check_contact(contact: str) -> None:
    """``BadInput`` unless it can be an e-mail address; older requests may have another contact."""
    fits = bool(_CONTACT.fullmatch(contact)) and len(contact) <= LONGEST_CONTACT
    _must(fits, "The contact is no e-mail address.", "Write one, such as desk@example.org.")


def check_asked(
    *,
    dataset_id: str,
    version: str,
    purpose: PurposeCode,
    statement: str,
    fields: tuple[str, ...],
    days: int,
    contact: str,
    now: datetime,
) -> None:
    """``BadInput`` unless a request that asks this could be filed, as far as it can be known before it is sent."""
    check_contact(contact)
    Request(
        id="0" * 20,
        provider="",
        dataset_id=dataset_id,
        party="asking",
        purpose=purpose,
        statement=statement,
        days=days,
        contact=contact,
        filed_at=now,
        decide_by=now,
        version=version,
        fields=fields,
    )


def check_policies(policies: Sequence[str]) -> None:
    """``BadInput`` unless they are ids of policies, as another node may tell them."""
    fits = len(policies) <= MOST_POLICIES and all(_POLICY.fullmatch(policy) for policy in policies)
    _must(fits, "The policies of a decision are not told by their ids.", "Ask the other party for it again.")


def check_days(days: int) -> None:
    """``BadInput`` unless it is 1 to 366 days: no use without an end."""
    _must(1 <= days <= LONGEST_DAYS, f"Data can't be had for {days} days.", f"Ask for 1 to {LONGEST_DAYS} days.")


def decide_by(filed_at: datetime, *, in_emergency: bool) -> datetime:
    """The deadline of the decision."""
    return filed_at + (DECIDE_WITHIN_IN_EMERGENCY if in_emergency else DECIDE_WITHIN)


def check_grade(grade: int) -> None:
    """Only data of grade 2 are had by agreement: less needs none, more never leaves."""
    if grade < 2:
        raise Conflict("These data need no agreement.", "Download them from the dataset's page.")
    if grade > 2:
        raise Refused(
            f"Data of grade {grade} never leave the node.", "Ask the provider for an analysis inside its node."
        )


def check_fields(asked: Sequence[str], known: Sequence[str]) -> None:
    """``BadInput`` when a field is asked that the release does not have."""
    unknown = sorted(set(asked) - set(known))
    _must(not unknown, f"The release has no field {', '.join(unknown)[:200]}.", f"It has: {', '.join(known)[:500]}.")


def decide(
    request: Request,
    *,
    grant: bool,
    reason: str,
    by: str,
    at: datetime,
    agreement_id: str = "",
    policies: tuple[str, ...] = (),
) -> Request:
    """The request as decided. ``Conflict`` unless it waits for a decision; nobody decides on what they asked for."""
    _require_open(request)
    check_text(reason, "reason")
    if request.party == f"account:{by}":
        raise Refused("Nobody decides on their own request.", "Let another authority decide.")
    return replace(
        request,
        state="granted" if grant else "refused",
        decided_at=at,
        reason=reason,
        agreement_id=agreement_id if grant else "",
        policies=policies,
    )


def withdraw(request: Request, *, at: datetime, policies: tuple[str, ...] = ()) -> Request:
    """The request as taken back. ``Conflict`` unless it waits for a decision."""
    _require_open(request)
    return replace(request, state="withdrawn", decided_at=at, policies=policies)


def _require_open(request: Request) -> None:
    if not request.is_open:
        raise Conflict(f"The request was {request.state} already.", "File a new one if it is still needed.")


def parse_request(document: Mapping[str, Any]) -> Request:
    """A request from its JSON form; ``BadInput`` says what is wrong."""
    try:
        return msgspec.convert(dict(document), Request)
    except msgspec.ValidationError as error:
        raise BadInput(f"The request is misstated: {error}.", "Ask the other party for it again.") from error


def task_list(
    request: Request,
    now: datetime,
    *,
    expires_at: datetime | None = None,
    revoked_at: datetime | None = None,
    delivered_at: datetime | None = None,
) -> tuple[Task, ...]:
    """What was done, what comes next, by when, and who must act: asking, deciding, delivering, ending.

    Args:
        request: the request.
        now: the time at which the list is read.
        expires_at: when the agreement ends, once there is one.
        revoked_at: when it was revoked, if it was.
        delivered_at: when the data were first delivered, if they were.
    """
    provider, party = request.provider, request.party
    filed = Task("file", _FILE, party, "done", done_at=request.filed_at)
    if request.state == "withdrawn":
        return filed, Task("withdraw", _WITHDRAWN, party, "done", done_at=request.decided_at)
    if request.is_open:
        overdue = now >= request.decide_by
        wait = Task("decide", _DECIDE, provider, "overdue" if overdue else "waiting", due=request.decide_by)
        return filed, wait, Task("fetch", _FETCH, party, "later"), Task("end", _END, party, "later")
    decided = Task("decide", _DECIDE, provider, "done", due=request.decide_by, done_at=request.decided_at)
    if request.state == "refused":
        return filed, decided, Task("fetch", _FETCH, party, "not-needed")
    over = revoked_at or (expires_at if expires_at and now >= expires_at else None)
    if delivered_at:
        fetch = Task("fetch", _FETCH, party, "done", due=expires_at, done_at=delivered_at)
    else:
        fetch = Task("fetch", _FETCH, party, "not-needed" if over else "waiting", due=expires_at)
    if revoked_at:
        return filed, decided, fetch, Task("end", _REVOKED, party, "not-confirmed", due=revoked_at)
    return filed, decided, fetch, Task("end", _END, party, "not-confirmed" if over else "later", due=expires_at)


_FILE = {"en": "Ask for the data", "zh": "提出数据申请"}
_DECIDE = {"en": "Decide on the request", "zh": "对申请作出决定"}
_FETCH = {"en": "Fetch the data under the agreement", "zh": "依据协议获取数据"}
_END = {"en": "End the use and delete the data", "zh": "停止使用并删除数据"}
_REVOKED = {"en": "The agreement was revoked: stop the use and delete the data", "zh": "协议已撤销：停止使用并删除数据"}
_WITHDRAWN = {"en": "The request was withdrawn", "zh": "申请已撤回"}
