"""What the log tells of overrides and appeals that may be in force, read entry by entry. Pure.

Whose a matter is the log says by a keyed mark only; so the mark is an argument here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from hutong.errors import Tampered

from .appeal import OPEN_STATES, UPHELD, Appeal
from .correction import LevelOverride

MADE, ENDED, FILED = "level.overridden", "level.override-ended", "appeal.filed"
DECIDED = "appeal.decided"
STEPS = (
    *(FILED, "appeal.acknowledged", "appeal.evidence-taken", "appeal.evidence-added"),
    *("appeal.withdrawn", DECIDED, "appeal.notified"),
)
KINDS = (MADE, ENDED, *STEPS)


class Entry(Protocol):
    """An entry of the log: its index, and its JSON, which raises Tampered where it is none any more."""

    @property
    def index(self) -> int: ...

    @property
    def event(self) -> Mapping[str, Any]: ...


Mark = Callable[[str, str], str]
"""From a pseudonym and the id of a matter to what the log says of whose it is."""


@dataclass(frozen=True, slots=True)
class ToldOverride:
    """An override that the log tells of, and of no end.

    Attributes:
        place: index of its entry.
        override: as the log tells it: without pseudonym and reason.
        whose: None in an entry of an earlier release.
    """

    place: int
    override: LevelOverride
    whose: str | None

    def is_of(self, row: LevelOverride) -> bool:
        """Whether a row of the records says the same."""
        return replace(row, pseudonym="", reason="") == self.override


@dataclass(frozen=True, slots=True)
class ToldAppeal:
    """An appeal that is open by the last entry about it; ``place``: index of that entry."""

    place: int
    id: str
    emergency: str
    state: str
    due: datetime | None
    whose: str | None

    def is_of(self, row: Appeal) -> bool:
        """Whether a row of the records says the same."""
        return (self.id, self.state, self.due) == (row.id, str(row.state), row.next_due)


Matter = ToldOverride | ToldAppeal


class ToldMatters:
    """Overrides that stand and appeals that are open, by the log's first ``size`` entries."""

    def __init__(self) -> None:
        self.size = 0
        self._matters: dict[str, Matter] = {}
        self._marks: dict[str, str] = {}
        self._ends: dict[str, str] = {}  # the same the other way
        self._unowned: set[str] = set()
        self._owners: dict[str, str] = {}
        self._owned: dict[str, set[str]] = {}
        self._upheld: dict[str, tuple[int, str | None]] = {}  # index of the decision, and whose
        self._first_by: dict[str, str] = {}  # from an appeal to the first override that names it

    def read(self, entries: Iterable[Entry], size: int, end_mark: Callable[[str], str], now: datetime) -> None:
        """Take what was added. An entry that lacks something tells nothing; the check of the log names it.

        Args:
            entries: those of KINDS since the last call, the oldest first.
            size: of the log now.
            end_mark: from the id of an override to how an entry names it that puts another in its place.
            now: overrides that end by then are left out.
        """
        for entry in entries:
            try:
                self._take(entry.index, entry.event, end_mark, now)
            except (KeyError, TypeError, ValueError, Tampered):
                continue
        self.size = size
        for name in [name for name, one in self._matters.items() if _is_past(one, now)]:
            self._drop(name)

    def _take(self, place: int, event: Mapping[str, Any], end_mark: Callable[[str], str], now: datetime) -> None:
        kind = event["kind"]
        if kind == MADE:
            for ended in event.get("ended", ()):
                self._drop(self._ends.get(ended, ended))
            told = ToldOverride(place, _override(event), event.get("whose"))
            if told.override.appeal is not None:
                self._first_by.setdefault(told.override.appeal, told.override.id)
            if not _is_past(told, now):
                self._add(told.override.id, told)
                self._marks[told.override.id] = end_mark(told.override.id)
                self._ends[self._marks[told.override.id]] = told.override.id
        elif kind == ENDED:
            self._drop(event["override"])
        elif kind in STEPS:
            self._take_step(place, event, event["appeal"])

    def _take_step(self, place: int, event: Mapping[str, Any], name: str) -> None:
        before = self._matters.get(name)
        if event["state"] not in OPEN_STATES:
            if event["kind"] == DECIDED and event["outcome"] in UPHELD and isinstance(before, ToldAppeal):
                self._upheld[name] = (place, before.whose)
            self._drop(name)
        elif event["kind"] == FILED:
            due, whose = _instant(event["due"]), event.get("whose")
            self._add(name, ToldAppeal(place, name, event["emergency"], event["state"], due, whose))
        elif isinstance(before, ToldAppeal):
            self._matters[name] = replace(before, place=place, state=event["state"], due=_instant(event["due"]))

    def _add(self, name: str, matter: Matter) -> None:
        self._matters[name] = matter
        self._unowned.add(name)

    def _drop(self, name: str) -> None:
        self._matters.pop(name, None)
        self._unowned.discard(name)
        self._owned.get(self._owners.pop(name, ""), set()).discard(name)
        self._ends.pop(self._marks.pop(name, ""), None)

    def upheld(self, appeal: str, pseudonym: str, mark: Mark) -> int | None:
        """Index of the entry by which an appeal of this person was upheld; None where the log tells of none."""
        place, whose = self._upheld.get(appeal, (None, None))
        return place if whose is None or whose == mark(pseudonym, appeal) else None

    def is_first_by(self, appeal: str, override: str) -> bool:
        """Whether no other override rested on the appeal before."""
        return self._first_by.get(appeal) == override

    def unowned(self) -> list[str]:
        """Ids of those of which it is not known yet whose they are."""
        return list(self._unowned)

    def learn(self, name: str, pseudonym: str, mark: Mark) -> bool:
        """Whether a matter is this person's, by its mark; it is kept."""
        whose = self._matters[name].whose
        if whose is not None and whose != mark(pseudonym, name):
            return False
        self._unowned.discard(name)
        self._owners[name] = pseudonym
        self._owned.setdefault(pseudonym, set()).add(name)
        return True

    def of(self, pseudonym: str, mark: Mark) -> list[Matter]:
        """What the log tells of one person."""
        for name in self.unowned():
            if self._matters[name].whose is not None:
                self.learn(name, pseudonym, mark)
        return [self._matters[name] for name in self._owned.get(pseudonym, ())]


def _override(event: Mapping[str, Any]) -> LevelOverride:
    return LevelOverride(
        id=event["override"],
        pseudonym="",
        level=event["to_level"],
        against=event["from_level"],
        rulebook=event["rulebook"],
        rule_id=event["rule"],
        reason="",
        actor=event["by"],
        second=event["second"],
        made_at=datetime.fromisoformat(event["at"]),
        ends_at=datetime.fromisoformat(event["ends_at"]),
        appeal=event["appeal"],
    )


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _is_past(matter: Matter, now: datetime) -> bool:
    return isinstance(matter, ToldOverride) and matter.override.ends_at <= now
