"""Read other parties' catalogues, and join the regions' open weekly counts."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from hutong.errors import BadInput, LimitExceeded, Tampered
from hutong.governance.queries import parties, trust_list
from hutong.node import Change, Node
from hutong.opening.queries import document
from hutong.sharing import queries
from hutong.sharing.harvest import HarvestReport, compare, own_datasets
from hutong.storage import schema
from hutong.trust.authorisation import Actor, Resource

if TYPE_CHECKING:
    import pyarrow as pa

    from hutong.opening.catalogue.catalogue import Dataset
    from hutong.sharing.joint_series import Candidate, JointSeries

CATALOGUE = "/catalogue.jsonld"
MOST_ROWS = 5_000_000
MOST_IDS_IN_LOG = 200


def harvest(node: Node, *, by: Actor, party_id: str) -> HarvestReport:
    """Read a party's catalogue and keep what it publishes itself. The same catalogue again changes nothing.

    Raises ``NotFound`` when the party is not listed, ``Unavailable`` when it does not answer, ``BadInput`` and
    ``LimitExceeded`` for what is no catalogue or too large; then nothing is changed.
    """
    from hutong.opening.catalogue.dcat import JSON_LD, parse_catalogue

    node.require(by, "harvest", Resource("Party", party_id))
    if party_id == node.id:
        raise BadInput("That is this node itself.", "Harvest another party.")
    party = trust_list(node).party(party_id, at=node.clock())
    reply = node.peers.get(party.url + CATALOGUE, accept=JSON_LD)
    found = parse_catalogue(reply.body, reply.media_type, harvested_from=(party.id, party.url))
    own = own_datasets(found, party=party.id, most=node.settings.limits.harvest_datasets)
    known = {entry.dataset.id: entry.dataset for entry in queries.harvested(node, party=party.id)}
    report = compare(known, own, party=party.id, left_out=len(found) - len(own))
    with node.change(by) as change:
        _save(change, report, own)
        change.event(
            "catalogue.harvested",
            party=party.id,
            sha256=hashlib.sha256(reply.body).hexdigest(),
            datasets=report.datasets,
            added=len(report.added),
            changed=len(report.changed),
            unchanged=report.unchanged,
            left_out=report.left_out,
        )
        if report.vanished:
            change.event(
                "catalogue.vanished",
                party=party.id,
                count=len(report.vanished),
                datasets=list(report.vanished[:MOST_IDS_IN_LOG]),
            )
    return report


def _save(change: Change, report: HarvestReport, own: dict[str, Dataset]) -> None:
    table = schema.harvested_dataset
    for name in (*report.vanished, *report.changed):
        change.execute(table.delete().where(table.c.party == report.party, table.c.id == name))
    rows = [
        {"party": report.party, "id": name, "body": document(own[name]), "harvested_at": change.at}
        for name in (*report.added, *report.changed)
    ]
    if rows:
        change.execute(table.insert(), rows)


def join_series(node: Node, *, by: Actor, indicator: str | None = None) -> JointSeries:
    """Join the open weekly counts of all harvested parties into the lake's table ``joint_count``.

    Without an indicator the one that all regions publish is taken: ``Conflict`` when there are several, ``NotFound``
    when there is none. A file that is not what its catalogue says is ``Tampered``; a party that does not answer is
    ``Unavailable``: the series then stays as it was, since one with a region missing would be another series.
    """
    from hutong.sharing import joint_series as series

    node.require(by, "harvest", Resource("Table", series.TABLE))
    now = node.clock()
    urls = {party.id: party.url.rstrip("/") for party in parties(node) if now < party.valid_until}
    chosen, left = series.candidates(queries.harvested(node), urls=urls)
    fetched: list[tuple[Candidate, pa.Table]] = []
    for candidate in chosen:
        table = _fetch(node, candidate)
        if table is None:
            reason = "Its columns are not those of weekly counts."
            left.append(series.LeftOut(candidate.party, candidate.dataset, reason))
        else:
            series.check_counts(table, candidate)
            fetched.append((candidate, table))
    counted = series.choose_indicator([table for _, table in fetched], indicator)
    joined = node.engine.to_arrow(
        series.join([(candidate, node.engine.bind(table)) for candidate, table in fetched], indicator=counted)
    )
    made = series.describe(joined, [candidate for candidate, _ in fetched], left, indicator=counted, joined_at=now)
    # The table is derived: if the log's entry fails after it was replaced, joining again gives the same table.
    node.lake.replace(series.TABLE, joined)
    with node.change(by) as change:
        change.event(series.EVENT, **made.facts())
    return replace(made, joined_at=change.at)


def _fetch(node: Node, candidate: Candidate) -> pa.Table | None:
    """The counts of one file, verified and in the types of the series; None when it has other columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from hutong.sharing.joint_series import NEEDED

    content = node.peers.get(candidate.file.url, accept="*/*").body
    if hashlib.sha256(content).hexdigest() != candidate.file.sha256:
        raise Tampered(
            f"The file of {candidate.party}/{candidate.dataset} is not what its catalogue says.",
            "Harvest the party again; if it stays so, tell the party.",
        )
    types = {"period_start": pa.date32(), "value": pa.int64()}
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        if not set(NEEDED) <= set(file.schema_arrow.names):
            return None
        if file.metadata.num_rows > MOST_ROWS:
            raise LimitExceeded(f"{candidate.dataset} has more than {MOST_ROWS:,} rows.", "Leave it out.")
        table = file.read(columns=list(NEEDED)).select(list(NEEDED))
        return table.cast(pa.schema([(name, types.get(name, pa.string())) for name in NEEDED]))
    except (pa.ArrowException, OSError) as error:
        raise BadInput(
            f"The file of {candidate.party}/{candidate.dataset} can't be read: {str(error)[:200]}.", "Tell the party."
        ) from error
