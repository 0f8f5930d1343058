"""The steps between nodes, over HTTP: the trust list, the harvest, sharing by agreement, and witnessing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from hutong.demo.report import seconds_since
from hutong.errors import HutongError, Refused
from hutong.governance import actions as governance
from hutong.governance import queries
from hutong.node import Node
from hutong.sharing import actions as sharing
from hutong.sharing import actions_harvest, actions_recipient
from hutong.trust.trust_list import party_of

if TYPE_CHECKING:
    from hutong.demo.run import Demo

DAYS = 30


def introduce(demo: Demo) -> None:
    """The hub lists all three nodes by what they say of themselves, signs the list, and each node adopts it."""
    with demo.report.step("trust", "   Trust list") as facts:
        hub = demo.nodes["hub"]
        described = {
            name: party_of(hub.peers.get(f"{demo.url(name)}/.well-known/hutong").json()) for name in demo.ports
        }
        governance.publish_trust_list(hub, by=hub.operator, parties=tuple(described.values()))
        for name in demo.lists:
            node = demo.nodes[name]
            signed = node.peers.get(f"{demo.url('hub')}/trust/list").body.decode()
            edition = governance.adopt_trust_list(
                node, by=node.operator, signed=signed, issuer_key=described["hub"].signing
            )
        facts["number"], facts["parties"] = edition.number, [party.id for party in edition.parties]
        demo.report.say(
            f"edition {edition.number}, signed by the hub, adopted by both regions: {', '.join(facts['parties'])}"
        )


def harvest(demo: Demo) -> None:
    """The hub reads both catalogues and joins both weekly series under one definition."""
    with demo.report.step("catalogue", "5  Catalogue") as facts:
        hub = demo.nodes["hub"]
        for region in demo.lists:
            found = actions_harvest.harvest(hub, by=hub.operator, party_id=region)
            facts[region] = {"added": list(found.added), "changed": list(found.changed)}
            demo.report.say(f"hub harvested {region}: {', '.join(found.added)}")
        series = actions_harvest.join_series(hub, by=hub.operator)
        facts["joint_series"] = {**series.facts(), "regions": len(series.sources)}
        demo.report.say(f"joint weekly series: {series.rows:,} rows of {len(series.sources)} regions, one definition")
        ckan = hub.peers.get(f"{demo.url('hub')}/api/3/action/package_search?rows=0").json()
        facts["ckan_count"] = ckan["result"]["count"]
        demo.report.say(f"the hub's CKAN interface finds {ckan['result']['count']} datasets")


def share(demo: Demo) -> None:
    """The taker asks the giver for its case records and receives them; the giver revokes, and the call is refused."""
    with demo.report.step("share", "6  Share") as facts:
        giver, taker = demo.giver, demo.taker
        authority = queries.account_actor(giver, "authority")
        (dataset,) = (one.dataset for one in demo.lists[giver.id].publications if one.kind == "case-records")
        begun = time.monotonic()
        asked = actions_recipient.request_data(
            taker,
            by=taker.operator,
            provider=giver.id,
            dataset_id=dataset,
            purpose="HMB",
            statement="Compare age and severity of dengue between two regions. 比较两地登革热病例的年龄与严重程度。",
            days=DAYS,
            contact=f"data@{taker.id}.example",
        )
        demo.report.say(
            f"{taker.id} asked {giver.id} for {dataset}, purpose HMB; {giver.id} decides by "
            f"{asked.decide_by:%Y-%m-%d %H:%M} UTC"
        )
        sharing.decide_request(
            giver,
            by=authority,
            request_id=asked.id,
            grant=True,
            reason="Fits the purpose of surveillance. 符合监测用途。",
            days=DAYS,
        )
        granted = actions_recipient.follow_request(taker, by=taker.operator, request_id=asked.id)
        agreement = granted.agreement_id
        demo.report.say(f"{giver.id} granted; agreement {agreement} (ODRL, signed) for {DAYS} days")
        facts["granted_by"] = _say_policies(demo, granted.policies)
        received = actions_recipient.receive(
            taker, by=taker.operator, provider=giver.id, agreement_id=agreement, format_="parquet"
        )
        taken = seconds_since(begun)
        demo.report.say(
            f"{taker.id} received {received.delivery.rows:,} records, hash checked: {received.path.name}",
            seconds=taken,
        )
        facts["delivered_by"] = _say_policies(demo, received.delivery.policies)
        sharing.revoke_agreement(
            giver, by=authority, agreement_id=agreement, because="The demonstration ends here. 演示到此结束。"
        )
        try:
            actions_recipient.receive(
                taker, by=taker.operator, provider=giver.id, agreement_id=agreement, format_="parquet"
            )
        except Refused as error:
            refusal, facts["refused_by"] = error.what, list(error.policies)
        else:
            raise AssertionError("a revoked agreement still delivers")
        demo.report.say(f"{giver.id} revoked; the same call is refused: {refusal} [{', '.join(facts['refused_by'])}]")
        facts.update(
            dataset=dataset,
            request=asked.id,
            purpose=asked.purpose,
            days=DAYS,
            decide_by=f"{asked.decide_by:%Y-%m-%d %H:%M}",
            agreement=agreement,
            delivery=received.delivery.id,
            received_seconds=taken,
            rows=received.delivery.rows,
            sha256=received.delivery.sha256,
            file=str(received.path),
            refused=refusal,
        )


def _say_policies(demo: Demo, policies: tuple[str, ...]) -> list[dict[str, Any]]:
    """Print which policies permitted it, and why."""
    told = demo.giver.policy.told(policies)
    for one in told:
        demo.report.say(f"      permitted by policy {one['policy']}: {one['reason']['en']}")
    return told


def witness_and_check(demo: Demo) -> None:
    """Each node has the others cosign its log's checkpoint; every log is then recomputed from its entries."""
    with demo.report.step("log", "8  Log") as facts:
        for name, node in demo.nodes.items():
            signed, failed = _ask_others(node, [other for other in demo.nodes if other != name])
            begun = time.monotonic()
            with demo.report.bar(f"{name} log", unit="entries") as progress:
                checkpoint = node.log.check(progress, witnesses=queries.witness_keys(node))
            proved = checkpoint.size // 2
            node.log.prove(proved).verify(node.log.key)
            # Who signed an earlier tree is no witness of this one.
            witnesses = [party for party, size in signed.items() if size == checkpoint.size]
            missing = {party: f"signed {size} entries" for party, size in signed.items() if size != checkpoint.size}
            facts[name] = {
                "size": checkpoint.size,
                "root": checkpoint.root.hex(),
                "proved": proved,
                "witnesses": witnesses,
                "not_witnessed_by": {**missing, **failed},
                "checkpoint": node.log.checkpoint().decode(),
                "seconds": seconds_since(begun),
            }
            demo.report.say(
                f"{name}: {checkpoint.size} entries recomputed, entry {proved} proved, "
                f"witnessed by {' and '.join(witnesses) or 'nobody'}",
                seconds=facts[name]["seconds"],
            )
            for party, why in facts[name]["not_witnessed_by"].items():
                demo.report.say(f"      not witnessed by {party}: {why}")


def _ask_others(node: Node, others: list[str]) -> tuple[dict[str, int], dict[str, str]]:
    """The sizes that the others cosigned, and why the rest of them did not."""
    signed, failed = {}, {}
    for party in queries.parties(node):
        if party.id in others:
            try:
                signed[party.id] = governance.ask_witness(node, by=node.operator, party=party)
            except HutongError as error:
                failed[party.id] = error.what
    return signed, failed
