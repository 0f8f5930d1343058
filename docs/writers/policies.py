"""The page of policies: who may do what, with the reasons that a person is shown."""

from __future__ import annotations

import re

from docs.writers.markdown import page, table

from hutong.trust.authorisation import POLICIES, ROLES

_POLICY = re.compile(
    r'@id\("(?P<id>[^"]+)"\)\s*@reason\("(?P<en>[^"]+)"\)\s*@reason_zh\("(?P<zh>[^"]+)"\)\s*(?P<body>(?:permit|forbid).*?;)',
    re.DOTALL,
)


def write() -> str:
    """The page. Raises ``RuntimeError`` when a policy could not be read."""
    text = POLICIES.read_text("utf-8")
    found = list(_POLICY.finditer(text))
    if len(found) != len(re.findall(r"^(?:permit|forbid)\b", text, re.MULTILINE)):
        raise RuntimeError("a policy has no id, reason and Chinese reason in this order")
    sections = [
        f"## {policy['id']}\n\n{policy['en']} {policy['zh']}\n\n```cedar\n{policy['body'].strip()}\n```"
        for policy in found
    ]
    overview = table(
        ("Policy", "Effect", "Reason · 理由"),
        (
            (
                f"[{policy['id']}](#{policy['id']})",
                policy["body"].split("(")[0].strip(),
                f"{policy['en']} {policy['zh']}",
            )
            for policy in found
        ),
    )
    roles = ", ".join(f"`{role}`" for role in ROLES)
    return page("Policies", "src/hutong/trust/policies.cedar", _INTRODUCTION, f"Roles: {roles}.", overview, *sections)


_INTRODUCTION = """
Every action asks these [Cedar](https://www.cedarpolicy.com/) policies before it does anything. No policy that permits
is a refusal, and a policy that forbids beats all that permit. Who is refused is shown the reasons.
"""
