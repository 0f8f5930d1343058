"""Who in the trust list recognises whose levels, as far as this node knows their rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hutong.node import Node
from hutong.trust.signing import read_unverified

from ..trust_bundle import queries as bundle_queries
from ..trust_bundle.eu_keys import PREFIX
from .recognition import AcceptanceRules, Scene, read_acceptance, recognition_matrix
from .verdict import Answer


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """The answers of one party to fresh passes of another (or its own).

    Attributes:
        rulebook: whose levels; empty where the issuer published no crosswalk that is in force.
        answers: by level; empty where nothing is known, which means unknown for every pass.
        reason: no-crosswalk or no-rules; empty where there are answers.
    """

    issuer: str
    verifier: str
    rulebook: str
    answers: dict[str, Answer]
    reason: str = ""

    @property
    def in_one_word(self) -> str:
        """In one word for a picture: accepted if any level is, else refused if any is, else unknown."""
        found = set(self.answers.values())
        return next((str(one) for one in (Answer.ACCEPTED, Answer.REFUSED) if one in found), str(Answer.UNKNOWN))


@dataclass(frozen=True, slots=True)
class RecognitionMatrix:
    """All pairs of listed parties at one scene and time: n × n cells, and more where a party has several rulebooks."""

    scene: Scene
    at: datetime
    parties: tuple[str, ...]
    cells: tuple[MatrixCell, ...]


def matrix(node: Node, scene: Scene) -> RecognitionMatrix:
    """The matrix of this node's trust list, from its own bundle and those of parties that it adopted."""
    now = node.clock()
    snapshot = bundle_queries.trust_snapshot(node)
    rules = _rules(node, snapshot.acceptance)
    cells = []
    parties = tuple(party for party in snapshot.issuers if not party.startswith(PREFIX))  # these judge nothing
    for issuer in map(snapshot.issuers.__getitem__, parties):
        walks = {one.rulebook: one for one in issuer.crosswalks if one.period.holds(now)}
        found = {name: recognition_matrix({issuer.id: walk}, rules, scene, now) for name, walk in walks.items()}
        for verifier in parties:
            if not walks or verifier not in rules:
                why = "no-rules" if walks else "no-crosswalk"
                cells.append(MatrixCell(issuer.id, verifier, next(iter(walks), ""), {}, why))
                continue
            cells += [
                MatrixCell(issuer.id, verifier, name, answers[issuer.id, verifier]) for name, answers in found.items()
            ]
    return RecognitionMatrix(scene, now, parties, tuple(cells))


def _rules(node: Node, own: AcceptanceRules | None) -> dict[str, AcceptanceRules]:
    """Acceptance rules by party; those of others stand in the bundles that they signed and this node adopted."""
    found = {} if own is None else {node.id: own}
    for party, signed in bundle_queries.adopted_bundles(node).items():
        _, theirs = read_unverified(signed)  # its signature was checked when it was adopted
        if party != node.id and theirs.get("acceptance") is not None:
            found[party] = read_acceptance(theirs["acceptance"])
    return found
