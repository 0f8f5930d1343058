"""What each kind of log entry says, in words that a person reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Final

from hutong.web import code_words
from hutong.web.i18n import N_, Translations
from hutong.web.page_words import QUALITY

KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "node.initialised": (N_("Node set up"), N_("The node %(node)s was set up for the territory %(territory)s.")),
    "account.created": (N_("Account created"), N_("An account with the role %(roles)s was created.")),
    "token.created": (N_("Token created"), N_("An API token was created; it ends on %(expires)s.")),
    "token.ended": (N_("Token ended"), N_("An API token was ended.")),
    "trust-list.published": (
        N_("Trust list published"),
        N_("Edition %(number)s of the trust list was published, with %(parties)s."),
    ),
    "trust-list.adopted": (
        N_("Trust list adopted"),
        N_("Edition %(number)s of the trust list of %(issuer)s was taken over."),
    ),
    "emergency.declared": (
        N_("Emergency declared"),
        N_("The emergency %(emergency)s was declared; it is reviewed by %(review)s and ends on %(sunset)s."),
    ),
    "emergency.ended": (N_("Emergency ended"), N_("The emergency %(emergency)s was ended before its sunset.")),
    "boundary.set": (
        N_("Boundary set"),
        N_("What may be collected under %(emergency)s was set by the boundary %(boundary)s, until %(valid_until)s."),
    ),
    "source.declared": (N_("Source declared"), N_("The source %(source)s of %(provider)s was declared.")),
    "receipt.issued": (
        N_("File received"),
        N_(
            "%(rows)s rows for the table %(table)s came from %(source)s: %(accepted)s accepted, %(held)s held, "
            "%(rejected)s rejected."
        ),
    ),
    "held-rows.released": (
        N_("Held rows released"),
        N_("%(rows)s rows of the table %(table)s from %(source)s, held by %(rule)s, were released as facts."),
    ),
    "held-rows.discarded": (
        N_("Held rows discarded"),
        N_("%(rows)s rows of the table %(table)s from %(source)s, held by %(rule)s, were discarded."),
    ),
    "quality.assessed": (
        N_("Quality assessed"),
        N_("The quality of %(table)s from %(source)s was assessed: %(label)s."),
    ),
    "release.published": (
        N_("Release published"),
        N_("Version %(version)s of %(dataset)s was published with %(rows)s rows, at grade %(grade)s."),
    ),
    "catalogue.harvested": (
        N_("Catalogue harvested"),
        N_("The catalogue of %(party)s was read: %(datasets)s datasets, %(added)s new, %(changed)s changed."),
    ),
    "catalogue.vanished": (
        N_("Datasets vanished"),
        N_("%(count)s datasets are no longer in the catalogue of %(party)s."),
    ),
    "series.joined": (N_("Series joined"), N_("The joint series of %(indicator)s was made, with %(rows)s rows.")),
    "request.filed": (
        N_("Request filed"),
        N_("%(party)s asked for %(dataset)s for the purpose %(purpose)s; it is decided by %(decide_by)s."),
    ),
    "request.sent": (
        N_("Request sent"),
        N_("This node asked %(provider)s for %(dataset)s for the purpose %(purpose)s."),
    ),
    "request.followed": (N_("Request followed"), N_("The request to %(provider)s is now: %(state)s.")),
    "request.granted": (N_("Request granted"), N_("The request of %(party)s for %(dataset)s was granted.")),
    "request.refused": (N_("Request refused"), N_("The request of %(party)s for %(dataset)s was refused.")),
    "request.withdrawn": (N_("Request withdrawn"), N_("A request for %(dataset)s was taken back.")),
    "agreement.signed": (
        N_("Agreement signed"),
        N_("An agreement with %(recipient)s on %(dataset)s was signed; it ends on %(expires)s."),
    ),
    "agreement.kept": (
        N_("Agreement received"),
        N_("The agreement of %(provider)s on %(dataset)s was received; it ends on %(expires)s."),
    ),
    "agreement.revoked": (
        N_("Agreement revoked"),
        N_("The agreement with %(recipient)s on %(dataset)s was revoked."),
    ),
    "agreement.revocation-told": (
        N_("Recipient told of the revocation"),
        N_("The node of %(recipient)s was told that the agreement on %(dataset)s was revoked."),
    ),
    "agreement.revocation-kept": (
        N_("Agreement revoked by its provider"),
        N_("The agreement of %(provider)s on %(dataset)s was revoked on %(revoked)s: its use ends here."),
    ),
    "delivery.made": (
        N_("Data delivered"),
        N_("%(rows)s rows of %(dataset)s were delivered to %(recipient)s for the purpose %(purpose)s."),
    ),
    "delivery.refused": (
        N_("Delivery refused"),
        N_("Data of %(dataset)s were asked for and refused (%(reason)s): %(times)s times by then on %(day)s."),
    ),
    "delivery.received": (N_("Data received"), N_("%(rows)s rows of %(dataset)s were received from %(provider)s.")),
    "risk-areas.assessed": (
        N_("Risk areas assessed"),
        N_("Risk areas as of %(as_of)s were computed by the rule %(rule)s, version %(version)s."),
    ),
    "rulebook.published": (
        N_("Rulebook published"),
        N_(
            "Version %(version)s of the rulebook %(rulebook)s was published: %(effect)s. It holds from "
            "%(effective_from)s and ends on %(valid_to)s."
        ),
    ),
    "levels.decided": (
        N_("Levels decided"),
        N_("Levels of %(persons)s persons as of %(as_of)s were decided by the rulebook %(rulebook)s."),
    ),
    "levels.updated": (
        N_("Levels updated"),
        N_("New evidence was known: %(persons)s persons were looked at again by the rulebook %(rulebook)s."),
    ),
    "pass.converted": (
        N_("Pass converted"),
        N_("A pass of %(origin)s was read, and one of this node under %(rulebook)s was issued for it."),
    ),
    "crosswalk.published": (
        N_("Crosswalk published"),
        N_("Version %(version)s of the crosswalk %(crosswalk)s was published: how others' levels read here."),
    ),
    "acceptance.published": (
        N_("Scene rules published"),
        N_("Version %(version)s of the scene rules %(rules)s was published: which passes are accepted where."),
    ),
    "party-bundle.adopted": (
        N_("Party's rules taken over"),
        N_("Edition %(number)s of the rules of %(party)s was taken over."),
    ),
    "dcc-revocations.imported": (
        N_("EU revocation lists taken over"),
        N_("Revocation lists of the EU as of %(as_of)s, for %(keys)s keys, are in the trust bundle."),
    ),
    "dcc-revocations.dropped": (
        N_("EU revocation lists dropped"),
        N_("The revocation lists of the EU were taken out of the trust bundle."),
    ),
    "dcc-keys.imported": (
        N_("Keys of EU signers taken over"),
        N_("%(keys)s keys of %(countries)s countries that sign EU certificates are trusted until %(valid_until)s."),
    ),
    "dcc-keys.dropped": (
        N_("Keys of EU signers dropped"),
        N_("The imported keys that sign EU certificates are trusted no more."),
    ),
    "pass.issued": (N_("Pass issued"), N_("A pass was issued by the rulebook %(rulebook)s, version %(version)s.")),
    "exposure-code.issued": (
        N_("Exposure code issued"),
        N_("A code to tell contacts of an infection was issued; it ends on %(expires)s."),
    ),
    "exposure-batch.published": (N_("Exposure keys published"), N_("%(keys)s exposure keys were published.")),
    "pass.revoked": (N_("Pass revoked"), N_("A pass was revoked by the rule %(rule)s.")),
    "passes.revoked": (
        N_("Passes revoked"),
        N_("%(passes)s passes said a less severe level than the one in force, and were revoked by the rule %(rule)s."),
    ),
    "passes.issued": (N_("Passes issued"), N_("%(passes)s passes were issued at once, by %(rulebooks)s.")),
    "passes.reissued": (
        N_("Passes issued again"),
        N_("%(passes)s passes that the compromised key %(key)s had signed were issued again."),
    ),
    "pass-key.rotated": (
        N_("Pass key replaced"),
        N_("Passes are signed with the key %(new)s from now on; it replaces %(old)s."),
    ),
    "pass-key.compromised": (
        N_("Pass key ended"),
        N_("The key %(key)s was found compromised; %(passes_stopped)s passes were stopped."),
    ),
    "status-data.destroyed": (
        N_("Data about persons destroyed"),
        N_("The emergency %(emergency)s is over: %(rows)s rows about persons were destroyed."),
    ),
    "appeal.filed": (
        N_("Appeal filed"),
        N_("An appeal was filed under %(emergency)s; it must be acknowledged by %(due)s."),
    ),
    "appeal.acknowledged": (
        N_("Appeal acknowledged"),
        N_("The authority has read an appeal; the next step is due on %(due)s."),
    ),
    "appeal.evidence-taken": (
        N_("Evidence taken"),
        N_("The authority looks at the evidence of an appeal; it must decide by %(due)s."),
    ),
    "appeal.evidence-added": (N_("Evidence added"), N_("More was said for an appeal.")),
    "appeal.decided": (
        N_("Appeal decided"),
        N_("Two persons decided an appeal (%(outcome)s); the resident must be told by %(due)s."),
    ),
    "appeal.notified": (N_("Resident told"), N_("A resident was told how an appeal was decided.")),
    "appeal.withdrawn": (N_("Appeal withdrawn"), N_("A resident withdrew an appeal.")),
    "level.overridden": (
        N_("Level changed by two persons"),
        N_(
            "By the rule %(rule)s, two persons gave the level %(to_level)s in the place of %(from_level)s, "
            "until %(ends_at)s."
        ),
    ),
    "level.override-ended": (
        N_("Changed level ended"),
        N_("Two persons ended a level that had been changed by the rule %(rule)s: the rulebook's level holds again."),
    ),
    "access.granted": (
        N_("Access granted"),
        N_("A resident's level may be asked for by the application %(application)s until %(ends_at)s."),
    ),
    "access.ended": (N_("Access ended"), N_("An application may no longer ask for a resident's level.")),
}
"""Kind of event → its name, and the sentence that its facts complete."""


DAYS: Final = frozenset(
    {"due", "ends_at", "review", "sunset", "valid_until", "expires", "decide_by", "as_of", "valid_to", "revoked"}
)
MOMENTS: Final = frozenset({"effective_from"})
EFFECTS: Final[Mapping[str, str]] = {
    "first": N_("the first under its emergency"),
    "loosening": N_("nobody's level rises by it"),
    "tightening": N_("it may raise levels, and waits for its notice"),
}
"""What a version of a rulebook does to people's levels."""

CODES: Final[Mapping[str, Callable[[str, Translations], str]]] = {
    "indicator": code_words.indicator,
    "purpose": code_words.purpose,
    "roles": code_words.role,
    "table": code_words.table,
    "territory": code_words.territory,
}
"""Facts that are codes, and what says them in words."""

ACCOUNTS: Final = frozenset({"party", "recipient"})
SOMEBODY: Final = N_("somebody with an account here")


def kind_name(kind: str, words: Translations) -> str:
    """What a kind of entry is called; its own identifier where there is no word for it."""
    return words.gettext(KINDS[kind][0]) if kind in KINDS else kind


def sentence(event: Mapping[str, Any], words: Translations) -> str:
    """An entry in one sentence. A fact that is not there is a dash; a kind without a sentence gives its name."""
    kind = str(event.get("kind", ""))
    if kind not in KINDS:
        return kind
    facts: defaultdict[str, str] = defaultdict(lambda: "–")
    facts.update({name: _shown(name, value, words) for name, value in event.items()})
    told = words.gettext(KINDS[kind][1]) % facts
    return told[:1].upper() + told[1:] if told.startswith(words.gettext(SOMEBODY)) else told


def _shown(name: str, value: Any, words: Translations) -> str:
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int | float):
        return words.number(value)
    if isinstance(value, list):
        return ", ".join(_in_words(name, str(part), words) for part in value[:20]) + (" …" if len(value) > 20 else "")
    return _in_words(name, str(value), words)


def _in_words(name: str, text: str, words: Translations) -> str:
    if name in ACCOUNTS and text == "account":
        return words.gettext(SOMEBODY)
    if name == "effect" and text in EFFECTS:
        return words.gettext(EFFECTS[text])
    if name == "label" and text in QUALITY:
        return words.gettext(QUALITY[text])
    if name in CODES:
        return CODES[name](text, words)
    if name in MOMENTS:
        return words.moment(datetime.fromisoformat(text))
    return _day(text, words) if name in DAYS else text


def _day(text: str, words: Translations) -> str:
    try:
        return words.date(date.fromisoformat(text[:10]))
    except ValueError:
        return text
