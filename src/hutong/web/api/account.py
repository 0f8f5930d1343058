"""The account that calls: who it is, and its API tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Security
from pydantic import BaseModel, Field

from hutong.errors import NotSignedIn
from hutong.governance import actions, queries
from hutong.governance.account import Token
from hutong.trust.authorisation import Actor
from hutong.web.doors import ACCOUNT, CurrentActor, CurrentNode, problems

router = APIRouter(prefix="/api/account", tags=["account"])

TokenId = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="The token's id in the list")]
READ = problems(401, 422)


def get_account(actor: CurrentActor, _described: Annotated[object, Security(ACCOUNT)]) -> Actor:
    """The account that calls. ``NotSignedIn`` for the public and for another node: neither has an account here."""
    if actor.kind != "account":
        raise NotSignedIn("Only an account of this node has tokens.", "Send the token of an account.")
    return actor


CurrentAccount = Annotated[Actor, Depends(get_account)]


class AccountModel(BaseModel):
    """Who calls, and what the account may be."""

    name: str
    roles: list[str]
    represents: str = Field(description="The party that it speaks for")


class TokenModel(BaseModel):
    """An API token, without its secret."""

    id: str
    label: str
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    state: str = Field(description="active, expired or closed")


class TokenOrder(BaseModel):
    label: str = Field(min_length=1, max_length=120, description="What it is for")


class NewToken(BaseModel):
    """A token; its secret is given once, here."""

    token: str = Field(description="Send it as: Authorization: Bearer TOKEN. The node keeps its hash only")


@router.get("", responses=READ)
def get_own_account(account: CurrentAccount) -> AccountModel:
    """The account whose token this is."""
    return AccountModel(name=account.id, roles=sorted(account.roles), represents=account.represents)


@router.get("/tokens", responses=READ)
def get_tokens(node: CurrentNode, account: CurrentAccount) -> list[TokenModel]:
    """The account's API tokens, the newest first, ended and expired ones too; at most 100."""
    now = node.clock()
    return [_token(known, now) for known in queries.tokens(node, account.id)]


@router.post("/tokens", status_code=201, responses=problems(400, 401, 413, 422))
def create_token(node: CurrentNode, account: CurrentAccount, given: TokenOrder) -> NewToken:
    """Make an API token of the account; it is valid for 90 days, and never longer than the account."""
    return NewToken(token=actions.create_token(node, by=account, account_name=account.id, label=given.label))


@router.post("/tokens/{token}/end", status_code=204, responses=problems(401, 404, 422))
def end_token(node: CurrentNode, account: CurrentAccount, token: TokenId) -> None:
    """End one of the account's tokens now; it may be the one that calls."""
    actions.end_listed_token(node, by=account, account_name=account.id, token=token)


def _token(known: Token, now: datetime) -> TokenModel:
    told = {name: getattr(known, name) for name in TokenModel.model_fields if name != "state"}
    return TokenModel(**told, state=known.state(now))
