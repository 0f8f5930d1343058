"""What an authority or the operator can do about emergencies, parties, witnesses and accounts: one function each."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from hutong.errors import BadInput, Conflict, HutongError, NotFound, NotSignedIn, Tampered, TooManyRequests
from hutong.governance import queries
from hutong.governance.account import (
    ACCOUNT_DAYS,
    TOKEN_DAYS,
    TOKEN_PREFIX,
    Account,
    Session,
    check_password,
    hash_of_nobody,
    hash_password,
    password_fits,
    token_hash,
    token_id,
)
from hutong.governance.emergency import Emergency
from hutong.node import Node
from hutong.storage.schema import (
    account,
    api_token,
    emergency,
    session,
    sign_in_attempt,
    trust_list,
    used_assertion,
    witnessed_log,
)
from hutong.trust.authorisation import PUBLIC, Actor, Resource
from hutong.trust.log import witness
from hutong.trust.log.checkpoint import parse_size
from hutong.trust.log.note import parse_verifier_key
from hutong.trust.signing import read_unverified, verify_assertion
from hutong.trust.trust_list import Party, TrustList, read_trust_list, sign_trust_list

TRUST_LIST_DAYS = 7
WITNESS_TRIES = 4
_WHO_SIGNS_IN = "the log tells nothing of who came when"


def declare_emergency(node: Node, *, by: Actor, emergency_: Emergency) -> None:
    """Declare an emergency. ``Conflict`` when its id is taken."""
    node.require(by, "declare_emergency")
    with node.change(by) as change:
        taken = change.execute(sa.select(emergency.c.id).where(emergency.c.id == emergency_.id)).scalar()
        if taken:
            raise Conflict(f"The emergency {emergency_.id} was declared already.", "Choose another id.")
        change.execute(emergency.insert().values(id=emergency_.id, body=emergency_.document(), declared_at=change.at))
        change.event(
            "emergency.declared",
            emergency=emergency_.id,
            territory=emergency_.territory,
            review=emergency_.review.isoformat(),
            sunset=emergency_.sunset.isoformat(),
            legal_basis=dict(emergency_.legal_basis),
        )


def end_emergency(node: Node, *, by: Actor, emergency_id: str) -> None:
    """End an emergency before its sunset: every power that hangs on it ends now."""
    node.require(by, "end_emergency")
    with node.change(by) as change:
        ended = change.execute(
            emergency.update()
            .where(emergency.c.id == emergency_id, emergency.c.ended_at.is_(None))
            .values(ended_at=change.at)
        )
        if not ended.rowcount:
            raise NotFound(f"There is no emergency {emergency_id} in force.", "See the node's home page.")
        change.event("emergency.ended", emergency=emergency_id)


def describe_self(node: Node, *, kind: str) -> Party:
    """This node as a party: what it sends to whoever keeps the trust list."""
    return Party(
        id=node.id,
        name=node.settings.name,
        url=node.settings.url,
        territory=node.settings.territory,
        kind=kind,
        signing=node.keys.public["signing"],
        log_key=str(node.log.key),
        passes=tuple(node.keys.public["passes"]),
        valid_until=datetime.fromisoformat(node.keys.public["signing_until"]),
    )


def publish_trust_list(node: Node, *, by: Actor, parties: Sequence[Party]) -> str:
    """Sign and publish the next edition of the trust list; returns the signed document."""
    node.require(by, "publish_trust_list")
    with node.change(by) as change:
        latest = change.execute(sa.select(sa.func.max(trust_list.c.number))).scalar() or 0
        edition = TrustList(
            number=latest + 1,
            issuer=node.id,
            issued_at=change.at,
            next_update=change.at + timedelta(days=TRUST_LIST_DAYS),
            parties=tuple(sorted(parties, key=lambda party: party.id)),
        )
        signed = sign_trust_list(edition, key=node.keys.signing, kid=node.keys.public["signing"]["kid"])
        change.execute(trust_list.insert().values(number=edition.number, issued_at=change.at, signed=signed))
        change.event("trust-list.published", number=edition.number, parties=[party.id for party in edition.parties])
    return signed


def adopt_trust_list(node: Node, *, by: Actor, signed: str, issuer_key: Mapping[str, str]) -> TrustList:
    """Take over an edition that the pinned key signed; an older number than the held one is refused."""
    node.require(by, "adopt_trust_list")
    edition = read_trust_list(signed, issuer_key=issuer_key)
    with node.change(by) as change:
        latest = change.execute(sa.select(sa.func.max(trust_list.c.number))).scalar() or 0
        held = change.execute(sa.select(trust_list.c.signed).where(trust_list.c.number == edition.number)).scalar()
        if held is not None and held != signed:
            raise Tampered(
                f"There are two different editions {edition.number} of the trust list.",
                "Ask its issuer which is right.",
            )
        if edition.number < latest:
            raise Conflict(f"Edition {edition.number} is older than edition {latest}.", "Ask for the newest edition.")
        if edition.number > latest:
            change.execute(
                trust_list.insert().values(number=edition.number, issued_at=edition.issued_at, signed=signed)
            )
            change.event("trust-list.adopted", number=edition.number, issuer=edition.issuer)
    return edition


def keep_trust_list(node: Node, *, by: Actor) -> TrustList | None:
    """Never be left with a list past its date: its issuer signs the next edition in time, all others fetch it.

    Returns the edition that is new here, or None. The key that must have signed it is the one of the issuer in the
    edition held, so a new issuer is only ever taken over by a person.
    """
    try:
        held = queries.trust_list(node)
    except NotFound:
        return None
    if held.issuer == node.id:
        if node.clock() < held.issued_at + (held.next_update - held.issued_at) / 2:
            return None
        others = [party for party in held.parties if party.id != node.id and node.clock() < party.valid_until]
        own = next(party for party in held.parties if party.id == node.id)
        publish_trust_list(node, by=by, parties=[describe_self(node, kind=own.kind), *others])
        return queries.trust_list(node)
    issuer = next(party for party in held.parties if party.id == held.issuer)
    signed = node.peers.get(f"{issuer.url}/trust/list", accept="application/jose").body.decode("ascii", "replace")
    if read_trust_list(signed, issuer_key=issuer.signing).number == held.number:
        return None
    return adopt_trust_list(node, by=by, signed=signed, issuer_key=issuer.signing)


def answer_witness_request(node: Node, *, by: Actor, body: bytes) -> witness.Answer:
    """Witness another party's checkpoint (C2SP tlog-witness): cosign it when it continues what was seen before."""
    with node.change(by, unlogged="two nodes that witness each other would write entries for ever") as change:

        def known(origin: str) -> witness.KnownLog | None:
            keys = tuple(
                parse_verifier_key(party.log_key)
                for party in queries.parties(node)
                if parse_verifier_key(party.log_key).name == origin
            )
            if not keys:
                return None
            row = change.execute(sa.select(witnessed_log).where(witnessed_log.c.origin == origin)).one_or_none()
            return witness.KnownLog(keys, row.size, row.root) if row else witness.KnownLog(keys)

        answer = witness.answer_request(body, known, node.cosigner, int(change.at.timestamp()))
        if answer.cosigned is not None:
            seen = answer.cosigned
            change.execute(witnessed_log.delete().where(witnessed_log.c.origin == seen.origin))
            change.execute(
                witnessed_log.insert().values(origin=seen.origin, size=seen.size, root=seen.root, at=change.at)
            )
    return answer


def ask_witness(node: Node, *, by: Actor, party: Party) -> int:
    """Have another party's node cosign this node's newest checkpoint; returns the size that it cosigned."""
    node.require(by, "witness")
    url = f"{party.url}/log/witness/add-checkpoint"
    old_size = 0
    for _ in range(WITNESS_TRIES):
        # The witness answers 409 with the size that it saw last, and the next try starts from there. Another process of
        # this node may ask at the same time, so that it has moved on once more.
        proof, checkpoint = node.log.prove_consistency(old_size)
        reply = node.peers.post(url, witness.encode_request(old_size, proof, checkpoint), media_type="text/plain")
        if reply.status != 409:
            break
        old_size = parse_size(reply.body.decode("ascii", "replace").removesuffix("\n"))
    if reply.status != 200:
        raise Conflict(
            f"{party.id} did not cosign: {reply.body.decode(errors='replace')[:200]}.", "Check its log page."
        )
    with node.change(by, unlogged="the entry would make a new, uncosigned tree") as change:
        return node.log.add_cosignature(
            change.connection, message=checkpoint, answer=reply.body, witness=queries.cosigner_key(party), at=change.at
        )


def keep_witnesses(node: Node, *, by: Actor) -> tuple[str, ...]:
    """Have each witness cosign the newest checkpoint unless it did; returns those that did now.

    One that does not answer, or does not cosign, keeps no other from it; its error is raised when nobody has cosigned.
    """
    size = node.log.size()
    behind = [known.party for known in queries.witnesses(node) if known.size != size]
    done, failed = [], None
    for party in behind:
        try:
            ask_witness(node, by=by, party=party)
        except HutongError as error:
            failed = error
        else:
            done.append(party.id)
    if failed is not None and all(known.size < size for known in queries.witnesses(node)):
        raise failed
    return tuple(done)


def create_account(
    node: Node, *, by: Actor, name: str, display_name: str, roles: frozenset[str], password: str
) -> Account:
    """Create a local account for a year."""
    node.require(by, "create_account", Resource("Account", name))
    check_password(password)
    with node.change(by) as change:
        created = Account(
            name=name, display_name=display_name, roles=roles, expires_at=change.at + timedelta(days=ACCOUNT_DAYS)
        )
        if change.execute(sa.select(account.c.name).where(account.c.name == name)).scalar():
            raise Conflict(f"There is an account {name} already.", "Choose another name.")
        change.execute(
            account.insert().values(
                name=name,
                display_name=display_name,
                roles=sorted(roles),
                password_hash=hash_password(password),
                created_at=change.at,
                expires_at=created.expires_at,
            )
        )
        # An account's name may be a person's name: the log tells its roles only.
        change.event("account.created", roles=sorted(roles))
    return created


def sign_in(node: Node, *, name: str, password: str, address: str) -> Session:
    """Open a session. ``TooManyRequests`` after ten tries in five minutes for one name or one address."""
    limits = node.settings.limits
    now = node.clock()
    since = now - timedelta(seconds=limits.sign_in_window_seconds)
    keys = [f"name:{name}"[:120], f"address:{address}"[:120]]
    with node.change(PUBLIC, unlogged=_WHO_SIGNS_IN) as change:
        change.execute(sign_in_attempt.delete().where(sign_in_attempt.c.at < since))
        counted = change.execute(
            sa.select(sa.func.count()).where(sign_in_attempt.c.key.in_(keys)).group_by(sign_in_attempt.c.key)
        ).scalars()
        if max(counted, default=0) >= limits.sign_in_attempts:
            raise TooManyRequests("Too many tries to sign in.", "Wait five minutes and try again.")
        change.execute(sign_in_attempt.insert(), [{"key": key, "at": now} for key in keys])
        row = change.execute(sa.select(account).where(account.c.name == name)).one_or_none()
    # The password is compared outside the transaction: Argon2 is slow on purpose.
    fits = password_fits(row.password_hash if row else hash_of_nobody(), password)
    if row is None or not fits or now >= row.expires_at:
        raise NotSignedIn("The name or the password is wrong.", "Try again, or ask the operator for a new password.")
    secret, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    expires = now + timedelta(seconds=limits.session_seconds)
    with node.change(PUBLIC, unlogged=_WHO_SIGNS_IN) as change:
        change.execute(session.delete().where(session.c.expires_at < now))
        # Of the address only this try is forgiven: else one account would be worth any number of guesses at others.
        this = sa.and_(sign_in_attempt.c.key == keys[1], sign_in_attempt.c.at == now)
        change.execute(sign_in_attempt.delete().where(sa.or_(sign_in_attempt.c.key == keys[0], this)))
        change.execute(session.insert().values(id_hash=token_hash(secret), account=name, csrf=csrf, expires_at=expires))
    actor = Actor(id=name, kind="account", roles=frozenset(row.roles), represents=node.id)
    return Session(secret=secret, csrf=csrf, actor=actor, display_name=row.display_name, expires_at=expires)


def sign_out(node: Node, *, secret: str) -> None:
    """End a session."""
    with node.change(PUBLIC, unlogged=_WHO_SIGNS_IN) as change:
        change.execute(session.delete().where(session.c.id_hash == token_hash(secret)))


def create_token(node: Node, *, by: Actor, account_name: str, label: str) -> str:
    """An API token for an account, valid for 90 days; it is shown once, here.

    Everybody makes them for the own account, the operator for any. Raises Refused, BadInput (no label), NotFound.
    """
    if by.id != account_name:
        node.require(by, "create_token", Resource("Account", account_name))
    if not 1 <= len(label) <= 120:
        raise BadInput("A token needs a label of 1 to 120 characters.", "Say what it is for.")
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    with node.change(by) as change:
        if not change.execute(sa.select(account.c.name).where(account.c.name == account_name)).scalar():
            raise NotFound(f"There is no account {account_name}.", "Create it with: hutong account create")
        expires = change.at + timedelta(days=TOKEN_DAYS)
        change.execute(
            api_token.insert().values(
                hash=token_hash(secret), account=account_name, label=label, created_at=change.at, expires_at=expires
            )
        )
        change.event("token.created", expires=expires.isoformat())
    return secret


def end_token(node: Node, *, by: Actor, secret: str) -> None:
    """End an API token now."""
    with node.change(by) as change:
        ended = change.execute(
            api_token.update()
            .where(api_token.c.hash == token_hash(secret), api_token.c.ended_at.is_(None))
            .values(ended_at=change.at)
        )
        if not ended.rowcount:
            raise NotFound("There is no such token in force.", "See your tokens under your account.")
        change.event("token.ended")


def end_listed_token(node: Node, *, by: Actor, account_name: str, token: str) -> None:
    """End an API token of an account, by its id in the list of tokens.

    Everybody ends the own ones, the operator anybody's. Raises Refused, NotFound (no such token in force).
    """
    if by.id != account_name:
        node.require(by, "create_token", Resource("Account", account_name))
    with node.change(by) as change:
        own = sa.and_(api_token.c.account == account_name, api_token.c.ended_at.is_(None))
        hashes = change.execute(sa.select(api_token.c.hash).where(own)).scalars()
        chosen = next((stored for stored in hashes if token_id(stored) == token), None)
        if chosen is None:
            raise NotFound("There is no such token in force.", "See your tokens under your account.")
        change.execute(api_token.update().where(api_token.c.hash == chosen).values(ended_at=change.at))
        change.event("token.ended")


def admit_party(node: Node, *, token: str) -> Actor:
    """The party that an assertion speaks for. ``NotSignedIn`` unless it is listed, signed it, and used it once."""
    _, claims = read_unverified(token)
    now = node.clock()
    try:
        party = queries.trust_list(node).party(str(claims.get("iss")), at=now)
    except NotFound as error:
        raise NotSignedIn("The asking party is not in this node's trust list.", error.do) from error
    verified = verify_assertion(token, key=party.signing, audience=node.id, now=now)
    with node.change(PUBLIC, unlogged="what the party does then is logged itself") as change:
        change.execute(used_assertion.delete().where(used_assertion.c.expires_at < now))
        known = sa.select(used_assertion.c.id).where(
            used_assertion.c.id == f"{party.id}:{verified.get('jti', '')}"[:80]
        )
        if change.execute(known).scalar():
            raise NotSignedIn("This assertion was used before.", "Make a new one for each call.")
        change.execute(
            used_assertion.insert().values(
                id=f"{party.id}:{verified.get('jti', '')}"[:80], expires_at=now + timedelta(minutes=5)
            )
        )
    return Actor(id=party.id, kind="party", represents=party.id)
