"""Steps 2 to 4: acquire both lists, assess their quality, publish their releases."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hutong.acquisition import actions as acquisition
from hutong.opening import actions as opening

if TYPE_CHECKING:
    from hutong.demo.run import Demo

SHAPES = {"good": "●", "fair": "▲", "poor": "■"}


def acquire(demo: Demo) -> None:
    """Acquire areas and cases of both regions; the same file again adds nothing."""
    with demo.report.step("acquire", "2  Acquire") as facts:
        for region, line_list in demo.lists.items():
            node = demo.nodes[region]
            for table, mapping in line_list.mappings.items():
                begun = time.monotonic()
                with demo.report.bar(f"{region} {table}", None) as progress:
                    receipt = acquisition.acquire(
                        node,
                        by=node.operator,
                        source_id=line_list.source.id,
                        path=line_list.file,
                        mapping=mapping,
                        progress=progress,
                    )
                facts[f"{region}_{table}"] = receipt.document()
                counts = f"{receipt.accepted:,} accepted, {receipt.held:,} held, {receipt.rejected:,} rejected"
                kept_out = sum(receipt.refused_values.values())
                outside = f"; {kept_out:,} values outside the boundary kept out" if kept_out else ""
                demo.report.say(
                    f"{region}: acquired {receipt.rows:,} {table} rows: {counts}{outside}",
                    seconds=time.monotonic() - begun,
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
            moved = node.move_inbox()
            facts[f"{region}_moved_to_lake"] = moved
            demo.report.say(
                f"{region}: the same file again adds nothing; {sum(moved.values()):,} rows moved to the lake",
                seconds=time.monotonic() - begun,
            )


def assess(demo: Demo) -> None:
    """Assess both lists, and say what is wrong with them."""
    with demo.report.step("quality", "3  Quality") as facts:
        for region, line_list in demo.lists.items():
            node = demo.nodes[region]
            report = acquisition.assess_quality(node, by=node.operator, source_id=line_list.source.id)
            facts[region] = report.document()
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
                release = opening.publish(node, by=node.operator, publication=publication)
                facts[release.dataset_id] = {
                    "version": release.version,
                    "rows": release.rows,
                    "sha256": release.sha256,
                    "risk": release.risk,
                    "suppression": release.suppression,
                    "files": {
                        file.format: {"bytes": file.bytes, "sha256": file.sha256} for file in release.distributions
                    },
                }
                demo.report.say(
                    f"{release.dataset_id} v{release.version}, grade {publication.grade}: {release.rows:,} rows",
                    seconds=time.monotonic() - begun,
                )
                demo.report.say(f"      {release.risk or release.suppression}")
