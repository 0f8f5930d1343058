"""Who may do what: Cedar policies, parsed once; no decision is a refusal; every decision names the policies behind it.

Callers pass identifiers as data, never as policy text, so nothing needs escaping.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from hutong.errors import Refused

POLICIES = Path(__file__).parent / "policies.cedar"
ROLES = ("operator", "steward", "authority", "partner", "verifier", "resident", "auditor")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: an account of this node, another party, a job, or nobody known (``kind`` "public").

    ``represents`` is the party that an account speaks for; it is this node's own id unless the account is a partner's.
    """

    id: str
    kind: str
    roles: frozenset[str] = frozenset()
    represents: str = ""

    @property
    def log_name(self) -> str:
        """How the log calls who acted: not a resident, whose account is named by the resident's number."""
        return "resident" if self.roles == {"resident"} else self.id


PUBLIC = Actor(id="public", kind="public")


@dataclass(frozen=True, slots=True)
class Resource:
    """What is acted on: its kind, id and the attributes that policies look at."""

    kind: str
    id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """Yes or no, with the ids and texts (en, zh) of the policies that decided it."""

    allowed: bool
    policies: tuple[str, ...]
    reasons: tuple[Mapping[str, str], ...]


class Policy:
    """The parsed policy set of a node."""

    def __init__(self, text: str) -> None:
        self._text = text

    @classmethod
    def load(cls, path: Path = POLICIES) -> Policy:
        return cls(path.read_text("utf-8"))

    @cached_property
    def _parsed(self) -> Any:
        import cedarpy

        return cedarpy.PolicySet.from_str(self._text)

    @cached_property
    def annotations(self) -> Mapping[str, Mapping[str, str]]:
        """Annotations of each policy, by the engine's own name for it."""
        import cedarpy

        policies = orjson.loads(cedarpy.policies_to_json_str(self._text))["staticPolicies"]
        return {name: policy.get("annotations", {}) for name, policy in policies.items()}

    def decide(
        self, actor: Actor, action: str, resource: Resource, context: Mapping[str, Any] | None = None
    ) -> Decision:
        """Ask the policies. Errors in a policy's evaluation count as no decision, which is a refusal."""
        import cedarpy

        request = {
            "principal": {"type": "Actor", "id": actor.id},
            "action": {"type": "Action", "id": action},
            "resource": {"type": resource.kind, "id": resource.id},
            "context": dict(context or {}),
        }
        result = cedarpy.is_authorized(request, self._parsed, _entities(actor, resource))
        annotations = [self.annotations[name] for name in sorted(result.diagnostics.reasons)]
        return Decision(
            allowed=bool(result.allowed) and not result.diagnostics.errors,
            policies=tuple(note.get("id", "") for note in annotations),
            reasons=tuple({"en": note.get("reason", ""), "zh": note.get("reason_zh", "")} for note in annotations),
        )

    def require(
        self, actor: Actor, action: str, resource: Resource, context: Mapping[str, Any] | None = None
    ) -> Decision:
        """The decision when it is yes; ``Refused`` with its reasons when it is no."""
        decision = self.decide(actor, action, resource, context)
        if not decision.allowed:
            roles = ", ".join(sorted(actor.roles)) or "no role"
            reasons = tuple(reason["en"] for reason in decision.reasons) or (
                f"No policy lets {actor.id} ({roles}) {action.replace('_', ' ')}.",
            )
            do = "Ask an authority of this node."
            if "sealed-data-stay-here" in decision.policies:
                do = "Look for open data in the catalogue."
            elif "agreement-needed" in decision.policies:
                # No role would let them have it, so to sign in or to ask an authority is no way out.
                dataset = resource.id.partition("@")[0]
                do = f"Ask for them at /en/requests/new?dataset={dataset}, or with the command `hutong request`."
            elif {"agreement-was-revoked", "agreement-has-ended"} & set(decision.policies):
                do = "File a new request on the page of the dataset, or with the command `hutong request`."
            elif actor == PUBLIC:
                do = "Sign in, or send the token of an account."
            raise Refused(" ".join(reasons), do, reasons, decision.policies)
        return decision

    def told(self, policies: Iterable[str]) -> list[dict[str, Any]]:
        """``policy`` (id) and ``reason`` (en, zh) of each; the reason of one that is not known here is empty."""
        known = {note.get("id", ""): note for note in self.annotations.values()}
        return [
            {
                "policy": policy,
                "reason": {
                    "en": known.get(policy, {}).get("reason", ""),
                    "zh": known.get(policy, {}).get("reason_zh", ""),
                },
            }
            for policy in policies
        ]


def _entities(actor: Actor, resource: Resource) -> list[dict[str, Any]]:
    roles = [{"type": "Role", "id": role} for role in sorted(actor.roles)]
    attributes = {"kind": actor.kind, "represents": actor.represents}
    return [
        {"uid": {"type": "Actor", "id": actor.id}, "attrs": attributes, "parents": roles},
        {
            "uid": {"type": resource.kind, "id": resource.id},
            "attrs": dict(resource.attributes),
            "parents": [],
        },
        *({"uid": role, "attrs": {}, "parents": []} for role in roles),
    ]
