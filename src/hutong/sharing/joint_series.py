"""The joint weekly series: the regions' open weekly counts under one definition.

A withheld figure stays withheld here: it is no number in the joint series either, and is never filled in from others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import msgspec

from hutong.errors import BadInput, Conflict, LimitExceeded, NotFound, Tampered
from hutong.opening.catalogue.catalogue import Distribution
from hutong.sharing.harvest import Harvested

TABLE = "joint_count"
EVENT = "series.joined"
LEVELS = ("country", "region1")
STATUSES = ("published", "withheld")
MAX_SOURCES = 200
NEEDED = ("area_code", "area_name", "level", "period_start", "indicator", "value", "status")


@dataclass(frozen=True, slots=True)
class Definition:
    """What a figure of the joint series is, in English and Chinese."""

    indicator: str
    text: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class JointSource:
    """One release that went into the series, with its rows there and how many of them are withheld."""

    party: str
    dataset: str
    version: str
    sha256: str
    rows: int
    withheld: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An open dataset that has no part in the series, and why."""

    party: str
    dataset: str
    reason: str


@dataclass(frozen=True, slots=True)
class JointSeries:
    """What stands in the lake's table ``joint_count``: its definition, when it was joined, and from what."""

    definition: Definition
    joined_at: datetime
    rows: int
    sources: tuple[JointSource, ...]
    left_out: tuple[LeftOut, ...] = ()

    def facts(self) -> dict[str, Any]:
        """What the log tells of it, from which ``series_of`` reads it back."""
        return {
            "table": TABLE,
            "indicator": self.definition.indicator,
            "rows": self.rows,
            "sources": [asdict(source) for source in self.sources],
            "left_out": [asdict(left) for left in self.left_out],
        }


@dataclass(frozen=True, slots=True)
class JointCount:
    """One figure: an area's count in the week that begins on ``period_start``; ``value`` is None when withheld."""

    area_code: str
    area_name: str
    level: str
    period_start: date
    value: int | None
    status: str
    dataset: str
    party: str


def definition(indicator: str) -> Definition:
    """The one definition for all regions."""
    return Definition(
        indicator,
        {
            "en": (
                f"Weekly counts of the indicator “{indicator}” as each region publishes them openly: the total of the "
                "country and its first-level areas. A week is the seven days from its first day; cases are counted in "
                "the week and area in which they began and lived, as the region's own dataset says. An area and week "
                "that is not listed had no case where the area above it is published, and is withheld where the area "
                "above it is withheld. A withheld figure stays withheld: it is not zero and must not be added up."
            ),
            "zh": (
                f"各地区公开发布的指标“{indicator}”的每周统计数：全国合计及一级行政区。"
                "一周是自其首日起的七天；病例按发病所在周与居住地统计，以各地区数据集的说明为准。"
                "未列出的地区与周：若其上级地区已公布，则当周无病例；若其上级地区未公布，则同样未公布。"
                "隐去的数值保持隐去：它不是零，也不得参与加总。"
            ),
        },
    )


def series_of(event: Mapping[str, Any]) -> JointSeries:
    """The series that a log entry tells of."""
    try:
        return JointSeries(
            definition=definition(event["indicator"]),
            joined_at=datetime.fromisoformat(event["at"]),
            rows=event["rows"],
            sources=msgspec.convert(event["sources"], tuple[JointSource, ...]),
            left_out=msgspec.convert(event["left_out"], tuple[LeftOut, ...]),
        )
    except (KeyError, ValueError) as error:
        raise Tampered(
            f"The log's entry of the joint series is misstated: {error}.", "Join the series again."
        ) from error


@dataclass(frozen=True, slots=True)
class Candidate:
    """An open file with weekly counts that may go into the series."""

    party: str
    dataset: str
    version: str
    file: Distribution


def candidates(harvested: Iterable[Harvested], *, urls: Mapping[str, str]) -> tuple[list[Candidate], list[LeftOut]]:
    """Which harvested datasets have an open Parquet file of weekly counts; the others with the reason.

    ``urls`` are the parties' addresses: a file is fetched from its own party only. Datasets by agreement are not
    mentioned at all: they are no part of an open series.
    """
    chosen: list[Candidate] = []
    left: list[LeftOut] = []
    for entry in harvested:
        dataset, release = entry.dataset, entry.dataset.current
        if dataset.grade != 0:
            continue
        files = [file for file in (release.distributions if release else ()) if file.format == "parquet" and file.url]
        if release is None or not files:
            left.append(LeftOut(entry.party, dataset.id, "It has no open Parquet file."))
        elif not _may_count(files[0]):
            left.append(LeftOut(entry.party, dataset.id, "Its columns are not those of weekly counts."))
        elif not files[0].sha256:
            left.append(LeftOut(entry.party, dataset.id, "Its catalogue gives no SHA-256 of the file."))
        elif not files[0].url.startswith(urls.get(entry.party, "") + "/") or entry.party not in urls:
            left.append(LeftOut(entry.party, dataset.id, "Its file is not at the party's own address."))
        else:
            chosen.append(Candidate(entry.party, dataset.id, release.version, files[0]))
    if len(chosen) > MAX_SOURCES:
        raise LimitExceeded(f"More than {MAX_SOURCES} datasets would be joined.", "Harvest fewer parties.")
    return chosen, left


def _may_count(file: Distribution) -> bool:
    names = {column.name for column in file.columns}
    return not names or set(NEEDED) <= names


def join(tables: Sequence[tuple[Candidate, Any]], *, indicator: str) -> Any:
    """One Ibis expression over the regions' tables: country and first level only, one indicator, one layout.

    ``tables``: each candidate with its table (columns ``NEEDED``) as an Ibis table of the node's engine.
    """
    import ibis

    parts = []
    for candidate, table in tables:
        kept = table.filter(table.level.isin(LEVELS) & (table.indicator == indicator))
        value = ibis.ifelse(kept.status == "published", kept.value.cast("int64"), ibis.null("int64"))
        parts.append(
            kept.select(
                kept.area_code,
                kept.area_name,
                kept.level,
                kept.period_start,
                value=value,
                status=kept.status,
                dataset=ibis.literal(candidate.dataset),
                party=ibis.literal(candidate.party),
            )
        )
    union = parts[0] if len(parts) == 1 else ibis.union(*parts)
    return union.order_by(["party", "dataset", "period_start", "level", "area_code"])


def check_counts(table: Any, candidate: Candidate) -> None:
    """``BadInput`` unless every figure is published with a number or withheld without one, once per area and week."""
    import pyarrow.compute as pc

    where = f"{candidate.party}/{candidate.dataset}"
    unknown = set(table["status"].unique().to_pylist()) - set(STATUSES)
    if unknown:
        raise BadInput(f"{where} has figures that are neither published nor withheld.", "Ask the party to correct it.")
    published = pc.equal(table["status"], "published")
    if pc.any(pc.xor(published, pc.is_valid(table["value"]))).as_py():
        raise BadInput(f"{where} has withheld figures with a number, or none where one is due.", "Tell the party.")
    if pc.any(pc.less(table["value"], 0)).as_py():
        raise BadInput(f"{where} has counts below zero.", "Tell the party.")
    keys = table.group_by(["area_code", "period_start", "indicator"]).aggregate([([], "count_all")])
    if keys.num_rows != table.num_rows:
        raise BadInput(f"{where} states one area's week twice.", "Ask the party to correct it.")


def choose_indicator(tables: Sequence[Any], wanted: str | None) -> str:
    """The indicator to join: the wanted one, or the only one there is.

    Raises ``NotFound`` when nobody publishes it, ``Conflict`` when there are several and none was chosen.
    """
    found = {name for table in tables for name in table["indicator"].unique().to_pylist()}
    if not found:
        raise NotFound("No harvested party publishes open weekly counts.", "Harvest the regions first.")
    if wanted is None and len(found) > 1:
        raise Conflict("The regions publish several indicators.", f"Choose one of: {', '.join(sorted(found))[:300]}.")
    if wanted is not None and wanted not in found:
        raise NotFound("No region publishes that indicator.", f"Choose one of: {', '.join(sorted(found))[:300]}.")
    return wanted or str(next(iter(found)))


def describe(
    joined: Any, chosen: Sequence[Candidate], left: Sequence[LeftOut], *, indicator: str, joined_at: datetime
) -> JointSeries:
    """The series that a joined Arrow table is, with what each release gave to it."""
    grouped = joined.group_by(["party", "dataset", "status"]).aggregate([([], "count_all")]).to_pylist()
    rows = {(group["party"], group["dataset"], group["status"]): group["count_all"] for group in grouped}
    sources = []
    for candidate in chosen:
        withheld = rows.get((candidate.party, candidate.dataset, "withheld"), 0)
        published = rows.get((candidate.party, candidate.dataset, "published"), 0)
        sources.append(
            JointSource(
                party=candidate.party,
                dataset=candidate.dataset,
                version=candidate.version,
                sha256=candidate.file.sha256,
                rows=published + withheld,
                withheld=withheld,
            )
        )
    return JointSeries(definition(indicator), joined_at, joined.num_rows, tuple(sources), tuple(left))
