"""Source: a declared feed. Who sends it, what it is, how it may be used, and where its places are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hutong.errors import BadInput, Conflict

LONGEST_ID = 60
SELF_REPORT, CORRECTION = "self-report", "correction"
"""Sources of what residents declare themselves, and of what they correct: nobody's feed."""


@dataclass(frozen=True, slots=True)
class Source:
    """One declared feed. ``territory`` is an ISO 3166-1 code; ``licence`` and ``homepage`` are addresses."""

    id: str
    title: Mapping[str, str]
    provider: str
    territory: str
    licence: str
    homepage: str
    citation: str

    def __post_init__(self) -> None:
        if not is_source_id(self.id):
            raise BadInput(f"{self.id!r} can't be a source's id.", "Use letters, digits and hyphens; at most 60.")
        if not all(self.title.get(language, "").strip() for language in ("en", "zh")):
            raise BadInput(f"The title of source {self.id} lacks English or Chinese.", "Give both texts.")

    def document(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)

    def require_same(self, declared: Mapping[str, Any]) -> None:
        """Refuse to stand for another of this id, in its JSON form. ``Conflict`` says what differs."""
        differing = ", ".join(sorted(name for name, told in self.document().items() if declared.get(name) != told))
        if differing:
            raise Conflict(
                f"There is a source {self.id} already, with another {differing}.",
                "Choose another id, or declare it as it stands.",
            )


def is_source_id(text: str) -> bool:
    """Whether a text can be a source's id."""
    return text.replace("-", "").isalnum() and 1 <= len(text) <= LONGEST_ID


def parse_source(document: Mapping[str, Any]) -> Source:
    """A source from its JSON or YAML form; ``BadInput`` names what is missing."""
    try:
        texts = {
            name: str(document[name]) for name in ("id", "provider", "territory", "licence", "homepage", "citation")
        }
        return Source(title=dict(document["title"]), **texts)
    except KeyError as error:
        raise BadInput(f"The source lacks {error}.", "See docs/how-to/connect-a-source.md.") from error
    except (TypeError, ValueError) as error:
        raise BadInput(f"The source is misstated: {error}.", "Give the title as en and zh.") from error
