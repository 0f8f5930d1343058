"""Converting another region's pass: a hub reads it by the region's crosswalk and issues its own, which says whence."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from hutong.errors import BadInput, Refused
from hutong.node import Change, Node
from hutong.storage import schema
from hutong.trust.authorisation import Actor, Resource

from .. import powers
from ..credential.keys import KeyRing, decode_base64url, encode_base64url
from ..credential.level_pass import (
    SALT_BYTES,
    Fact,
    LevelPass,
    commit_holder,
    digests_of,
    disclose,
    is_held_by,
    issue,
)
from ..credential.read import read_pass
from ..issuance import own_lists, pass_times
from ..issuance.actions import DEFAULT_HOURS
from ..issuance.free_indexes import free_indexes
from ..issuance.pass_times import MAX_HOURS
from ..rulebook import queries as rulebook_queries
from ..rulebook.rulebook import UNKNOWN, Rulebook
from ..trust_bundle import queries as bundle_queries
from .crosswalk import SCALE, Crosswalk
from .recognition import Scene
from .verification import verify_pass

ORIGIN = "origin"
"""Fact of a converted pass: issuer, rulebook@version and level of the pass that it was made from."""


@dataclass(frozen=True, slots=True)
class ConvertedPass:
    """A pass of this node made from another region's.

    Attributes:
        text: with the origin disclosed after ``~``; without that part it is valid too, and does not tell it.
        origin: issuer, rulebook@version and level of the pass that was shown.
    """

    pass_id: str
    text: str
    holder_secret: str = field(repr=False)
    level: str
    rulebook: str
    version: str
    origin: str
    issued_at: datetime
    expires_at: datetime

    def qr_svg(self) -> str:
        """The QR code as one SVG element, of the pass without its origin."""
        from ..credential import picture

        return picture.draw_svg(self.text.partition("~")[0])

    def qr_png(self) -> bytes:
        """As :meth:`qr_svg`, as a PNG picture."""
        from ..credential import picture

        return picture.draw_png(self.text.partition("~")[0])


def convert_pass(
    node: Node, *, by: Actor, text: str | bytes, holder_secret: str, rulebook_id: str, hours: int = DEFAULT_HOURS
) -> ConvertedPass:
    """Issue a pass of this node for a level that another listed region gave.

    The level goes by way of the common scale: the region's crosswalk reads it, this node's crosswalk for
    ``rulebook_id`` writes it. The new pass ends with the last whole day (UTC) of the old one at the latest;
    revoking the old one does not reach it.

    Args:
        text: what the QR code holds, or a picture of it (PNG or JPEG).
        holder_secret: base64url; who shows it is the holder of the pass, and not somebody who photographed it.

    Raises:
        Refused: the policy; rulebook or emergency not in force; the pass is not genuine, over or ends today, revoked,
            of this node itself, or can't be checked; not its holder; its level has no counterpart here.
        NotFound: no such rulebook.
        BadInput: hours out of range, a secret that is not base64url.
    """
    node.require(by, "issue_pass", Resource("Pass", "conversion"))
    if not 1 <= hours <= MAX_HOURS:
        raise BadInput(f"A pass is for 1 to {MAX_HOURS} hours.", "Give fewer hours; renewing is one call.")
    published = rulebook_queries.published_rulebook(node, rulebook_id)
    rulebook = published.rulebook
    emergency = powers.require_rulebook(node, rulebook)
    now = node.clock().replace(microsecond=0)
    shown, scale = _shown(node, text, holder_secret, now)
    level = _crosswalk(node, rulebook, now).from_scale(scale)
    if level == UNKNOWN:
        raise Refused(f"The level {shown.level} has no counterpart in {rulebook.id}.", "Recognise the pass as it is.")
    limits = (rulebook.period.end, powers.end_of(emergency), pass_times.end_within(now, shown.expires_at))
    (certificate,) = KeyRing.of([node.keys.pass_certificate]).keys
    secret, origin = node.random(16), _origin(shown, node.random(SALT_BYTES))
    pass_id = node.random(8)
    claims = LevelPass(
        issuer=node.id,
        issued_at=pass_times.begin(now, certificate.not_before, published.effective_from),
        expires_at=pass_times.end_after(now, hours, (*limits, certificate.not_after)),
        level=level,
        rulebook=rulebook.id,
        version=rulebook.version,
        pass_id=pass_id,
        status_index=0,  # until its place is known
        commitment=commit_holder(pass_id, secret),
        digests=digests_of([origin]),
    )
    with node.change(by) as change:
        claims = replace(claims, status_index=free_indexes(node, change, 1)[0])
        text = disclose(_keep(node, change, claims, shown), [origin])
    return ConvertedPass(
        pass_id=claims.pass_id.hex(),
        text=text,
        holder_secret=encode_base64url(secret),
        level=level,
        rulebook=rulebook.id,
        version=rulebook.version,
        origin=str(origin.value),
        issued_at=claims.issued_at,
        expires_at=claims.expires_at,
    )


def _origin(shown: LevelPass, salt: bytes) -> Fact:
    return Fact(ORIGIN, f"{shown.issuer} {shown.rulebook}@{shown.version} {shown.level}", salt)


def _keep(node: Node, change: Change, claims: LevelPass, shown: LevelPass) -> str:
    """Sign the pass, keep its record, tell the log; its text."""
    keys = node.keys  # once: another process may rotate them meanwhile
    change.execute(
        schema.issued_pass.insert().values(
            id=claims.pass_id.hex(),
            pseudonym="",  # a visitor: this node knows nobody of that pass
            status_index=claims.status_index,
            level=claims.level,
            rulebook=f"{claims.rulebook}@{claims.version}",
            key_id=keys.pass_key_id,
            issued_at=claims.issued_at,
            expires_at=claims.expires_at,
        )
    )
    own_lists.keep_place(change, [(claims.status_index, claims.expires_at)])
    change.event(
        "pass.converted",
        rulebook=claims.rulebook,
        version=claims.version,
        origin=shown.issuer,
        origin_rulebook=shown.rulebook,
    )
    return issue(claims, keys.passes, bytes.fromhex(keys.pass_key_id))


def _shown(node: Node, text: str | bytes, holder_secret: str, now: datetime) -> tuple[LevelPass, str]:
    """The pass that was shown and its place on the common scale, if all about it is known and right."""
    snapshot = bundle_queries.trust_snapshot(node)
    # What the scene says does not matter: only a pass that is genuine, in force and understood comes to it.
    checked = verify_pass(text, trust=snapshot, scene=Scene.PUBLIC_PLACE, at=now)
    claims = read_pass(text, keys=snapshot.ring).claims if checked.scale in SCALE else None
    if claims is None or checked.scale is None:
        reasons = tuple(reason.texts["en"] for reason in checked.reasons)
        raise Refused(f"The pass can't be converted. {' '.join(reasons)}", "Ask its issuer for a new one.", reasons)
    if claims.issuer == node.id:
        raise Refused("This is a pass of this node itself.", "Renew it instead.")
    if not is_held_by(claims, decode_base64url(holder_secret, "the holder's secret")):
        raise Refused("Who shows this pass is not its holder.", "Give the secret that came with the pass.")
    return claims, checked.scale


def _crosswalk(node: Node, rulebook: Rulebook, now: datetime) -> Crosswalk:
    major = int(rulebook.version.partition(".")[0])
    own = bundle_queries.trust_snapshot(node).issuers[node.id].crosswalk(rulebook.id, major, now)
    if own is None or not own.period.holds(now):
        raise Refused(f"No crosswalk for the levels of {rulebook.id} is in force.", "Publish one.")
    return own
