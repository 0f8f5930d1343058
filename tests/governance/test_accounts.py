"""Accounts, sessions, tokens and parties' assertions: who may come in, how often, and until when."""

from __future__ import annotations

from typing import Any

import pytest

from hutong.errors import BadInput, Conflict, NotSignedIn, Tampered, TooManyRequests
from hutong.governance import account, actions, queries
from hutong.node import Node
from hutong.trust.signing import assertion, sign_document
from hutong.trust.trust_list import TrustList, sign_trust_list
from tests.conftest import Clock, NewNode

PASSWORD = "a long enough phrase"
REAL_HASHER = account._hasher  # before the tests exchange it for a quick one


def create(node: Node, name: str = "li", **change: Any) -> None:
    given = {"display_name": "Li", "roles": frozenset({"steward"}), "password": PASSWORD, **change}
    actions.create_account(node, by=node.operator, name=name, **given)


def test_signing_in_and_out(new_node: NewNode, records: str) -> None:
    node = new_node()
    create(node)
    session = actions.sign_in(node, name="li", password=PASSWORD, address="192.0.2.1")
    assert queries.session(node, session.secret).actor.roles == {"steward"}
    actions.sign_out(node, secret=session.secret)
    with pytest.raises(NotSignedIn):
        queries.session(node, session.secret)


@pytest.mark.parametrize(
    ("name", "password"), [("li", "another long phrase"), ("nobody", PASSWORD), ("li", ""), ("' OR 1=1", PASSWORD)]
)
def test_a_wrong_name_and_a_wrong_password_get_the_same_answer(node: Node, name: str, password: str) -> None:
    create(node)
    with pytest.raises(NotSignedIn, match=r"^The name or the password is wrong\."):
        actions.sign_in(node, name=name, password=password, address="192.0.2.1")


def test_tries_are_counted_by_name_and_by_address(node: Node, clock: Clock) -> None:
    create(node)
    for number in range(node.settings.limits.sign_in_attempts):
        with pytest.raises(NotSignedIn):
            actions.sign_in(node, name="li", password="wrong wrong wrong", address=f"192.0.2.{number}")
    with pytest.raises(TooManyRequests):
        actions.sign_in(node, name="li", password=PASSWORD, address="198.51.100.1")
    clock.advance(seconds=node.settings.limits.sign_in_window_seconds + 1)
    actions.sign_in(node, name="li", password=PASSWORD, address="198.51.100.1")


def test_to_sign_in_oneself_buys_no_more_guesses_at_others(node: Node, clock: Clock) -> None:
    create(node)
    address = "192.0.2.7"
    for number in range(node.settings.limits.sign_in_attempts - 1):
        clock.advance(seconds=1)
        with pytest.raises(NotSignedIn):
            actions.sign_in(node, name=f"guess-{number}", password="wrong wrong wrong", address=address)
        clock.advance(seconds=1)
        actions.sign_in(node, name="li", password=PASSWORD, address=address)
    clock.advance(seconds=1)
    with pytest.raises(NotSignedIn):
        actions.sign_in(node, name="guess", password="wrong wrong wrong", address=address)
    with pytest.raises(TooManyRequests):
        actions.sign_in(node, name="guess", password="wrong wrong wrong", address=address)


@pytest.mark.parametrize(
    "change",
    [{"password": "short"}, {"password": "x" * 201}, {"roles": frozenset()}, {"roles": frozenset({"king"})}],
)
def test_accounts_that_can_not_be(node: Node, change: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        create(node, **change)


def test_an_account_is_there_once_and_ends(node: Node, clock: Clock) -> None:
    create(node)
    with pytest.raises(Conflict):
        create(node)
    session = actions.sign_in(node, name="li", password=PASSWORD, address="192.0.2.1")
    clock.advance(days=366)
    with pytest.raises(NotSignedIn):
        queries.session(node, session.secret)
    with pytest.raises(NotSignedIn):
        actions.sign_in(node, name="li", password=PASSWORD, address="192.0.2.1")


def test_a_token_ends_by_time_and_by_hand(node: Node, clock: Clock) -> None:
    create(node)
    secret = actions.create_token(node, by=node.operator, account_name="li", label="script")
    assert queries.token_actor(node, secret).id == "li"
    clock.advance(days=91)
    with pytest.raises(NotSignedIn, match="expired"):
        queries.token_actor(node, secret)
    other = actions.create_token(node, by=node.operator, account_name="li", label="script")
    actions.end_token(node, by=node.operator, secret=other)
    with pytest.raises(NotSignedIn, match="not known"):
        queries.token_actor(node, other)


def test_no_secret_is_in_the_records_or_the_log(node: Node) -> None:
    create(node)
    token = actions.create_token(node, by=node.operator, account_name="li", label="script")
    session = actions.sign_in(node, name="li", password=PASSWORD, address="192.0.2.1")
    kept = b"".join(path.read_bytes() for path in node.settings.folder.glob("records.sqlite*"))
    assert b"script" in kept
    for secret in (PASSWORD, token, session.secret):
        assert secret.encode() not in kept


def listed(tw: Node, pe: Node) -> None:
    parties = tuple(actions.describe_self(node, kind="region") for node in (tw, pe))
    actions.publish_trust_list(tw, by=tw.operator, parties=parties)


def ask(node: Node, *, audience: str, nonce: bytes = b"0" * 16) -> str:
    public = node.keys.public["signing"]
    return assertion(
        node.keys.signing, kid=public["kid"], issuer=node.id, audience=audience, now=node.clock(), nonce=nonce
    )


def test_a_listed_party_comes_in_once_with_one_assertion(new_node: NewNode, clock: Clock) -> None:
    tw, pe = new_node("tw"), new_node("pe")
    listed(tw, pe)
    token = ask(pe, audience="tw")
    assert actions.admit_party(tw, token=token).represents == "pe"
    with pytest.raises(NotSignedIn, match="used before"):
        actions.admit_party(tw, token=token)
    with pytest.raises(NotSignedIn, match="another node"):
        actions.admit_party(tw, token=ask(pe, audience="hub", nonce=b"1" * 16))
    late = ask(pe, audience="tw", nonce=b"2" * 16)
    clock.advance(seconds=61)
    with pytest.raises(NotSignedIn, match="expired"):
        actions.admit_party(tw, token=late)


def test_a_stranger_and_an_impostor_stay_out(new_node: NewNode) -> None:
    tw, pe, stranger = new_node("tw"), new_node("pe"), new_node("xx")
    listed(tw, pe)
    with pytest.raises(NotSignedIn, match="not in this node's trust list"):
        actions.admit_party(tw, token=ask(stranger, audience="tw"))
    public = stranger.keys.public["signing"]
    forged = assertion(
        stranger.keys.signing, kid=public["kid"], issuer="pe", audience="tw", now=tw.clock(), nonce=b"3" * 16
    )
    with pytest.raises(Tampered):
        actions.admit_party(tw, token=forged)
    agreement = sign_document(pe.keys.signing, kid="x", kind="agreement", payload={"iss": "pe", "aud": "tw"})
    with pytest.raises(BadInput, match="not a signed assertion"):
        actions.admit_party(tw, token=agreement)


def test_a_second_edition_of_one_number_is_told(new_node: NewNode) -> None:
    tw, pe = new_node("tw"), new_node("pe")
    listed(tw, pe)
    key = tw.keys.public["signing"]
    adopted = actions.adopt_trust_list(pe, by=pe.operator, signed=queries.signed_trust_list(tw), issuer_key=key)
    other = TrustList(adopted.number, "tw", adopted.issued_at, adopted.next_update, adopted.parties[:1])
    forked = sign_trust_list(other, key=tw.keys.signing, kid=key["kid"])
    with pytest.raises(Tampered, match="two different editions"):
        actions.adopt_trust_list(pe, by=pe.operator, signed=forked, issuer_key=key)


def test_passwords_are_kept_by_argon2id_with_the_parameters_of_rfc_9106() -> None:
    kept = REAL_HASHER().hash(PASSWORD)
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")  # clause 4: the second recommended option
    assert REAL_HASHER().verify(kept, PASSWORD)
