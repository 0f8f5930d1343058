"""What the holder of a pass does with it: choose facts to carry, show some of them, print it, put it into a wallet."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from hutong.node import Node
from hutong.passes.credential import picture
from hutong.passes.credential.level_pass import MAX_FACTS
from hutong.passes.issuance import held_pass as held
from hutong.passes.issuance import pass_facts, printable
from hutong.passes.issuance.actions import IssuedPass
from hutong.trust.authorisation import Actor
from hutong.web.doors import CurrentActor, CurrentNode, problems

router = APIRouter()

MAX_TEXT = 10_000
MAX_DISCLOSURE = 2_000
NO_STORE = {"Cache-Control": "no-store"}
HELD = problems(400, 401, 403, 404, 413, 422)
Value = str | int | float | bool | None
Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT, description="What the QR code holds")]


class FactToCarry(BaseModel):
    """A fact that a pass may carry, and its value now."""

    name: str
    value: Value = Field(description="A day as YYYY-MM-DD")
    meaning: dict[str, str]


class HeldPass(BaseModel):
    """A pass, and the proof that its holder asks."""

    text: Text
    holder_secret: str = Field(min_length=1, max_length=200, description="What its holder got with it")


class WalletText(BaseModel):
    text: str = Field(description="Lines in English and Chinese, the last of which is what the QR code holds")


class Disclosure(BaseModel):
    """A pass, and what shows those of its facts that the holder chose."""

    text: Text
    disclosures: list[Annotated[str, Field(min_length=1, max_length=MAX_DISCLOSURE)]] = Field(
        max_length=MAX_FACTS, description="Of the facts to show, as they were given with the pass"
    )


class ShownPassModel(BaseModel):
    """What a verifier reads."""

    text: str
    qr_svg: str
    facts: dict[str, Value]
    expires_at: datetime


@router.get("/api/passes/facts", responses=problems(401, 403, 422))
def get_facts(
    node: CurrentNode,
    actor: CurrentActor,
    person: Annotated[str | None, Query(min_length=1, max_length=64, description="By default whoever asks")] = None,
) -> list[FactToCarry]:
    """Facts that a pass of a resident may carry now; its holder chooses which, and none is on it by default."""
    found = pass_facts.facts_to_carry(node, by=actor, person=person or actor.id)
    return [FactToCarry(name=one.name, value=one.value, meaning=dict(one.meaning)) for one in found]


@router.post("/api/passes/disclosure", responses=problems(400, 403, 413, 422))
def disclose_facts(node: CurrentNode, given: Disclosure) -> ShownPassModel:
    """The code of a pass with the facts that its holder chose to show. Nothing of it is kept."""
    shown = held.shown_pass(node, text=given.text, disclosures=given.disclosures)
    return ShownPassModel(
        text=shown.text, qr_svg=picture.draw_svg(shown.text), facts=dict(shown.facts), expires_at=shown.expires_at
    )


@router.post(
    "/api/passes/page",
    response_class=Response,
    responses={
        200: {
            "description": "The page to print",
            "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
        },
        **HELD,
    },
)
def print_pass(node: CurrentNode, actor: CurrentActor, given: HeldPass) -> Response:
    """A pass as a page to print (PDF), in English and Chinese, without a name. Its holder brings it back."""
    issued = _issued(node, actor, given)
    printed = printable.print_pass(issued, issuer=node.settings.name)
    name = f'attachment; filename="pass-{issued.pass_id}.pdf"'
    return Response(printed.pdf, media_type="application/pdf", headers={**NO_STORE, "Content-Disposition": name})


@router.post("/api/passes/wallet-text", responses=HELD)
def write_wallet_text(node: CurrentNode, actor: CurrentActor, given: HeldPass) -> WalletText:
    """A pass as a text for a wallet or a message. Its holder brings it back."""
    return WalletText(text=printable.wallet_text(_issued(node, actor, given), issuer=node.settings.name))


def _issued(node: Node, actor: Actor, given: HeldPass) -> IssuedPass:
    return held.held_pass(node, by=actor, text=given.text, holder_secret=given.holder_secret)
