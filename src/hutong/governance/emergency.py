"""Emergency: a declared event with cause, legal basis, territory, review date and sunset. Every power hangs on one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from hutong.errors import BadInput, Refused

LONGEST_DAYS = 366
APPEAL_HOURS: Mapping[str, int] = {"acknowledge": 24, "evidence": 48, "decide": 72, "notify": 24}
"""How many hours an authority has for each step of an appeal, unless the emergency says otherwise."""
LONGEST_APPEAL_HOURS = 336


@dataclass(frozen=True, slots=True)
class Emergency:
    """One declared emergency. Texts are in English and Chinese; ``sunset`` is the first day on which it is over.

    ``appeal_deadlines``: hours for steps of an appeal that differ from APPEAL_HOURS.
    """

    id: str
    title: Mapping[str, str]
    cause: Mapping[str, str]
    legal_basis: Mapping[str, str]
    territory: str
    starts: date
    review: date
    sunset: date
    appeal_deadlines: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("title", "cause", "legal_basis"):
            if not all(getattr(self, name).get(language, "").strip() for language in ("en", "zh")):
                raise BadInput(f"The {name.replace('_', ' ')} lacks English or Chinese.", "Give both texts.")
        if not self.starts < self.review <= self.sunset:
            raise BadInput("The dates must be: start before review, review not after sunset.", "Correct the dates.")
        if (self.sunset - self.starts).days > LONGEST_DAYS:
            raise BadInput(
                f"An emergency lasts at most {LONGEST_DAYS} days.", "Set an earlier sunset; renew it after a review."
            )
        for step, hours in self.appeal_deadlines.items():
            if step not in APPEAL_HOURS or type(hours) is not int or not 1 <= hours <= LONGEST_APPEAL_HOURS:
                raise BadInput(
                    f"The deadlines of appeals are misstated at {str(step)[:40]!r}.",
                    f"Give {', '.join(APPEAL_HOURS)} as 1 to {LONGEST_APPEAL_HOURS} hours.",
                )

    def is_in_force(self, on: date) -> bool:
        """Whether powers may hang on it on that day."""
        return self.starts <= on < self.sunset

    def require_in_force(self, on: date) -> None:
        """``Refused`` outside its dates: a power without an emergency does not exist."""
        if not self.is_in_force(on):
            raise Refused(
                f"The emergency {self.id} is not in force on {on} (from {self.starts} until {self.sunset}).",
                "Declare a new emergency, with its own cause and legal basis.",
            )

    def document(self) -> dict[str, Any]:
        """JSON form."""
        days = {name: getattr(self, name).isoformat() for name in ("starts", "review", "sunset")}
        return {**asdict(self), **days}


def parse_emergency(document: Mapping[str, Any]) -> Emergency:
    """An emergency from its JSON or YAML form; ``BadInput`` names what is missing or wrong."""
    try:
        return Emergency(
            id=str(document["id"]),
            title=dict(document["title"]),
            cause=dict(document["cause"]),
            legal_basis=dict(document["legal_basis"]),
            territory=str(document["territory"]),
            starts=_day(document["starts"]),
            review=_day(document["review"]),
            sunset=_day(document["sunset"]),
            appeal_deadlines=dict(document.get("appeal_deadlines") or {}),
        )
    except KeyError as error:
        raise BadInput(f"The emergency lacks {error}.", "See docs/how-to/declare-an-emergency.md.") from error
    except (TypeError, ValueError) as error:
        raise BadInput(
            f"The emergency is misstated: {error}.", "Give texts as en/zh and days as YYYY-MM-DD."
        ) from error


def _day(value: object) -> date:
    return value if isinstance(value, date) else date.fromisoformat(str(value))
