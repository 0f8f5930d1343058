"""Powers over people's levels and passes: each hangs on an emergency in force, the grave ones on two persons."""

from __future__ import annotations

from datetime import datetime

from hutong.errors import BadInput, NotFound, Refused
from hutong.governance import queries as governance
from hutong.governance.emergency import Emergency
from hutong.node import Node
from hutong.rights import sunset
from hutong.trust.authorisation import Actor, Resource

from .documents import Period
from .rulebook.rulebook import Rulebook


def require_two(node: Node, by: Actor, second: Actor, action: str, resource: Resource) -> None:
    """Refuse unless two different persons who each may do it stand behind an act."""
    node.require(by, action, resource)
    node.require(second, action, resource)
    if by.id == second.id:
        raise Refused(
            "This needs two persons, and both are the same.",
            "Have another authority of this node confirm it.",
            policies=("two-persons",),
        )


def require_emergency(node: Node, emergency_id: str) -> Emergency:
    """The emergency, if it is in force now. ``Refused`` when it was never declared, was ended, or is over."""
    try:
        emergency = governance.emergency(node, emergency_id)
    except NotFound as error:
        raise Refused(
            f"The emergency {emergency_id} is not in force here: it was never declared, or was ended.",
            "Nothing can be done under it; declare a new one with its own cause and legal basis.",
        ) from error
    emergency.require_in_force(node.clock().date())
    return emergency


def require_any_emergency(node: Node) -> None:
    """Refuse when no emergency is in force: then there is nothing that a level or a pass could hang on."""
    if governance.emergency_in_force(node, node.clock().date()) is None:
        raise Refused(
            "No emergency is in force (each has ended, or none was declared): no pass is issued or renewed.",
            "Nothing needs to be shown; data about persons are destroyed when an emergency ends.",
            policies=("no-emergency",),
        )


def end_of(emergency: Emergency) -> datetime:
    """The instant at which an emergency is over: midnight (UTC) at the beginning of its sunset."""
    return sunset.end_of(emergency)


def require_within(period: Period, emergency: Emergency, what: str) -> None:
    """Refuse what would outlive its emergency. Raises BadInput."""
    if period.end > end_of(emergency):
        raise BadInput(
            f"{what} would outlive the emergency {emergency.id}, whose sunset is {emergency.sunset}.",
            "Let 'valid_to' be no later than the sunset.",
        )


def require_rulebook(node: Node, rulebook: Rulebook) -> Emergency:
    """The rulebook's emergency, if both are in force now. Raises Refused."""
    emergency = require_emergency(node, rulebook.emergency)
    if not rulebook.in_force(node.clock()):
        raise Refused(
            f"The rulebook {rulebook.id} {rulebook.version} is not in force "
            f"(from {rulebook.period.start:%Y-%m-%d} until {rulebook.period.end:%Y-%m-%d}).",
            "Publish a version for this time, if the emergency still asks for one.",
        )
    return emergency
