"""Steps 2 to 4: acquire both lists, assess their quality, publish their releases."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hutong.acquisition import actions as acquisition
from hutong.demo.report import seconds_since
from hutong.opening import actions as opening
from hutong.opening import queries as opening_queries

if TYPE_CHECKING:
    from hutong.demo.run import Demo
    from hutong.node import Node

SHAPES = {"good": "●", "fair": "▲", "poor": "■"}


def acquire(demo: Demo) -> None:
    """Acquire areas and cases of both regions; the same file again adds nothing."""
    with demo.report.step("acquire", "2  Acquire") as facts:
        for region, line_list in demo.lists.items():
            node = demo.nodes[region]
            for table, mapping in line_list.mappings.items():
                begun = time.monotonic()
                with demo.report.bar(f"{region} {table}", unit="rows") as progress:
                    receipt = acquisition.acquire(
                        node,
                        by=node.operator,
                        source_id=line_list.source.id,
                        path=line_list.file,
                        mapping=mapping,
                        progress=progress,
                    )
                taken = seconds_since(begun)
                facts[f"{region}_{table}"] = {
                    **receipt.document(),
                    "file": str(line_list.file),
                    "values_outside": sum(receipt.refused_values.values()),
                    "seconds_with_file": taken,
                }
                counts = f"{receipt.accepted:,} accepted, {receipt.held:,} held, {receipt.rejected:,} rejected"
                kept_out = sum(receipt.refused_values.values())
                outside = f"; {kept_out:,} values outside the boundary kept out" if kept_out else ""
                demo.report.say(
                    f"{region}: acquired {receipt.rows:,} {table} rows: {counts}{outside}",
                    seconds=taken,
                )
            again = acquisition.acquire(
                node,
                by=node.operator,
                source_id=line_list.source.id,
                path=line_list.file,
                mapping=line_list.mappings["case"],
            )
            facts[f"{region}_again"] = {"receipt": again.id, "repeated": again.repeated}
            begun = time.monotonic()
            with demo.report.bar(f"{region} to the lake"):
                node.move_inbox()  # the rest: the region's own server moves batches too, as they come
            in_lake = {table: _rows(node, table) for table in line_list.mappings}
            moved = seconds_since(begun)
            facts[f"{region}_in_lake"], facts[f"{region}_moved_seconds"] = in_lake, moved
            told = ", ".join(f"{rows:,} {table} rows" for table, rows in in_lake.items())
            demo.report.say(
                f"{region}: the same file again adds nothing; in the lake: {told}",
                seconds=moved,
            )


def _rows(node: Node, table: str) -> int:
    found = node.engine.table(table)
    return int(node.engine.to_arrow(found.aggregate(rows=found.count())).to_pylist()[0]["rows"])


def assess(demo: Demo) -> None:
    """Assess both lists, and say what is wrong with them."""
    with demo.report.step("quality", "3  Quality") as facts:
        for region, line_list in demo.lists.items():
            node = demo.nodes[region]
            with demo.report.bar(f"{region} by all rules"):
                report = acquisition.assess_quality(node, by=node.operator, source_id=line_list.source.id)
            facts[region] = {**report.document(), "source": line_list.source.id}
            demo.report.say(f"{region}: {SHAPES.get(report.label, '?')} {report.label} ({report.score:.2f})")
            worst = sorted(report.wrong(), key=lambda result: -result.concerned)[:5]
            for result in worst:
                demo.report.say(
                    f"      {result.concerned:>8,} of {result.checked:,} {result.unit}: {result.title['en']}"
                )


def publish(demo: Demo) -> None:
    """Publish weekly counts (grade 0) and k-anonymous case records (grade 2) of both regions."""
    with demo.report.step("open", "4  Open") as facts:
        for region, line_list in demo.lists.items():
            node = demo.nodes[region]
            for publication in line_list.publications:
                begun = time.monotonic()
                with demo.report.bar(f"{region} {publication.dataset}"):
                    release = opening.publish(node, by=node.operator, publication=publication)
                taken = seconds_since(begun)
                facts[release.dataset_id] = {
                    "source": line_list.source.id,
                    "grade": publication.grade,
                    "seconds": taken,
                    "version": release.version,
                    "rows": release.rows,
                    "sha256": release.sha256,
                    "risk": release.risk,
                    "suppression": release.suppression,
                    "files": {
                        file.format: {
                            "path": str(opening_queries.release_file(node, release, file.format)),
                            "bytes": file.bytes,
                            "sha256": file.sha256,
                        }
                        for file in release.distributions
                    },
                }
                demo.report.say(
                    f"{release.dataset_id} v{release.version}, grade {publication.grade}: {release.rows:,} rows",
                    seconds=taken,
                )
                demo.report.say(f"      {release.risk or release.suppression}")
