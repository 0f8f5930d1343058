"""The second person of an act, who gives name and password on the form of the first."""

from __future__ import annotations

from fastapi import Request

from hutong.governance import actions as governance
from hutong.node import Node
from hutong.trust.authorisation import Actor


def second_person(node: Node, request: Request, name: str, password: str) -> Actor:
    """Who agrees; no session is left. Raises NotSignedIn for a wrong name or password, TooManyRequests after many."""
    address = request.client.host if request.client else "unknown"
    opened = governance.sign_in(node, name=name.strip(), password=password, address=address)
    governance.sign_out(node, secret=opened.secret)
    return opened.actor
