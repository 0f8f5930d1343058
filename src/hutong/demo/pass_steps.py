"""Step 7: levels for a synthetic population in a real outbreak, a pass, and its recognition by the other region."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from hutong.acquisition import actions as acquisition
from hutong.acquisition.source import Source
from hutong.demo.lists import MAPPINGS
from hutong.demo.report import seconds_since
from hutong.demo.residents import OUTBREAK_2015, resident_number, write_population
from hutong.governance import actions as governance_actions
from hutong.governance import queries as governance
from hutong.insight import actions as insight
from hutong.insight import queries as insight_queries
from hutong.node import Node
from hutong.passes.credential import cose, hcert
from hutong.passes.documents import shipped_document
from hutong.passes.issuance import actions as pass_actions
from hutong.passes.level import actions as level_actions
from hutong.passes.recognition import actions as recognition_actions
from hutong.passes.recognition import matrix_queries
from hutong.passes.recognition.recognition import Scene
from hutong.passes.recognition.verdict import Answer
from hutong.passes.recognition.verification import verify_pass
from hutong.passes.rulebook import actions as rulebook_actions
from hutong.passes.trust_bundle import actions as bundle_actions
from hutong.passes.trust_bundle import queries as bundle_queries

if TYPE_CHECKING:
    import ibis

    from hutong.demo.run import Demo
    from hutong.passes.issuance.actions import IssuedPass

AS_OF = date(2015, 9, 15)
MOST_TOWNSHIPS = 22
SCENES = ("workplace", "school", "transport", "community")
MATRIX_SCENE = Scene.TRANSPORT
COUNTRY = "country"
MARKS = {"accepted": "●", "refused": "■", "unknown": "?"}


@dataclass(frozen=True, slots=True)
class Outbreak:
    """The day on which levels are given, and the areas where the residents live, by weight."""

    as_of: date
    townships: Mapping[str, float]


def passes(demo: Demo) -> None:
    """Risk areas from the real cases, levels for 50,000 residents, one pass, verified offline by the other region."""
    with demo.report.step("passes", "7  Pass") as facts:
        giver, taker = demo.giver, demo.taker
        outbreak = own_outbreak(giver) if demo.lists[giver.id].is_own else Outbreak(AS_OF, OUTBREAK_2015)
        acquire_population(demo, giver, outbreak, facts)
        assess_risk(demo, giver, outbreak.as_of, facts)
        for node, levels in ((giver, "dengue-three-levels"), (taker, "dengue-four-levels")):
            _publish_rules(node, levels)
        demo.report.say(
            f"{giver.id} published a rulebook of three levels, {taker.id} one of four, "
            "each with crosswalk and scene rules"
        )
        _decide(demo, giver, outbreak.as_of, facts)
        issued = _issue(demo, giver, facts)
        _recognise(demo, facts)
        _verify(demo, taker, issued, facts)


def _population(node: Node, *, is_own: bool) -> Source:
    title = {"en": "Synthetic residents of Tainan and Kaohsiung", "zh": "台南与高雄合成居民"}
    return Source(
        id=f"{node.id}-population",
        title={"en": "Synthetic residents", "zh": "合成居民"} if is_own else title,
        provider="Demonstration 演示",
        territory=node.settings.territory,
        licence="CC0-1.0",
        homepage="urn:hutong:demonstration",
        citation="Seeded synthetic population; no real person is in it.",
    )


def own_outbreak(node: Node) -> Outbreak:
    """Where and when a user's own list has the most cases: the day that ends its busiest week, in its busiest areas.

    Where no case has an area, it is in those that are listed.
    """
    cases, listed = node.engine.table("case"), node.engine.table("area")
    dated = cases.filter(cases.true_from.notnull())
    by_week = dated.group_by(week=dated.true_from.truncate("W")).agg(n=dated.count())
    busiest = node.engine.to_arrow(by_week.order_by(by_week.n.desc(), by_week.week).limit(1)).to_pylist()
    areas = _most_frequent(node, dated, "residence_area_code") or _most_frequent(node, listed, "area_code")
    if not busiest:
        return Outbreak(AS_OF, OUTBREAK_2015)
    monday = date.fromisoformat(str(busiest[0]["week"])[:10])
    return Outbreak(monday + timedelta(days=6), areas)


def _most_frequent(node: Node, table: ibis.Table, column: str) -> dict[str, float]:
    """The codes that are in the column most often, with how often that is."""
    coded = table.filter(table[column].notnull())
    counted = coded.group_by(code=coded[column]).agg(n=coded.count())
    found = node.engine.to_arrow(counted.order_by(counted.n.desc(), counted.code).limit(MOST_TOWNSHIPS)).to_pylist()
    return {row["code"]: float(row["n"]) for row in found}


def _centres(node: Node, townships: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """Where the townships lie, by the areas that the node holds; those without coordinates are left out."""
    areas = node.engine.table("area")
    wanted = areas.filter(areas.area_code.isin(list(townships)), areas.longitude.notnull(), areas.latitude.notnull())
    rows = node.engine.to_arrow(wanted.select("area_code", "longitude", "latitude")).to_pylist()
    return {row["area_code"]: (float(row["longitude"]), float(row["latitude"])) for row in rows}


def acquire_population(demo: Demo, giver: Node, outbreak: Outbreak, facts: dict[str, Any]) -> None:
    """Put a synthetic population of the outbreak's areas, its places, stays and tests on the node."""
    begun = time.monotonic()
    with demo.report.bar("synthetic residents"):
        population = write_population(
            demo.folder / "population",
            as_of=outbreak.as_of,
            townships=outbreak.townships,
            centres=_centres(giver, outbreak.townships),
        )
    source = _population(giver, is_own=demo.lists[giver.id].is_own)
    facts["source"] = source.id
    acquisition.declare_source(giver, by=giver.operator, source=source)
    for mapping, path in (
        ("residents", population.residents),
        ("places", population.places),
        ("stays", population.stays),
        ("tests", population.tests),
    ):
        if mapping == "stays" and not population.stays_count:  # a file without rows is refused
            facts["stays"] = {"rows": 0, "accepted": 0}
            continue
        with demo.report.bar(f"{giver.id} {mapping}", unit="rows") as progress:
            receipt = acquisition.acquire(
                giver,
                by=giver.operator,
                source_id=source.id,
                path=path,
                mapping=(MAPPINGS / f"{mapping}.yaml").read_text("utf-8"),
                progress=progress,
            )
        facts[mapping] = {"rows": receipt.rows, "accepted": receipt.accepted, "receipt": receipt.id}
    with demo.report.bar(f"{giver.id} to the lake"):
        giver.move_inbox()
    shutil.rmtree(demo.folder / "population")
    facts["population_seconds"] = seconds_since(begun)
    demo.report.say(
        f"{giver.id}: {facts['residents']['accepted']:,} synthetic residents with {facts['stays']['accepted']:,} stays "
        f"at {facts['places']['accepted']:,} places and {facts['tests']['accepted']:,} tests; "
        "names and numbers are in the vault only",
        seconds=facts["population_seconds"],
    )
    if not population.stays_count:
        demo.report.say(
            f"{giver.id}: everybody lives in the one area of the list, so that no stay in another can be shown"
        )


def assess_risk(demo: Demo, giver: Node, as_of: date, facts: dict[str, Any]) -> None:
    """Assess the node's areas by the rule that fits their levels."""
    begun = time.monotonic()
    rule = insight_queries.fitting_rule(giver)
    with demo.report.bar(f"{giver.id} risk areas"):
        found = insight.assess_risk_areas(giver, by=giver.operator, rule=rule, as_of=as_of)
    taken = seconds_since(begun)
    facts["risk_areas"] = {**found.document(), "window_days": rule.window_days, "seconds": taken}
    counts = ", ".join(f"{number} {level}" for level, number in found.areas.items())
    demo.report.say(
        f"{giver.id}: risk areas on {as_of} from {found.cases:,} real cases in {rule.window_days} days: {counts}",
        seconds=taken,
    )
    if rule.area_level == COUNTRY:
        demo.report.say(
            f"{giver.id}: the list has no area below the country, which is therefore one risk area: where in it the "
            "risk is higher can't be shown, and every resident has the level of its whole"
        )


def _publish_rules(node: Node, name: str) -> None:
    """Publish the shipped documents for the exercise's own days and emergency; two persons stand behind each."""
    second = governance.account_actor(node, "authority")
    (emergency,) = governance.emergencies(node)
    days = {
        "valid_from": datetime.combine(emergency.starts, datetime.min.time(), UTC).isoformat(),
        "valid_to": datetime.combine(emergency.sunset, datetime.min.time(), UTC).isoformat(),
    }

    rulebook = shipped_document(name, emergency=emergency.id, **days)
    rulebook_actions.publish_rulebook(node, by=node.operator, second=second, document=rulebook)
    crosswalk = shipped_document(f"crosswalks/{name}", **days)
    recognition_actions.publish_crosswalk(node, by=node.operator, second=second, document=crosswalk)
    recognition_actions.publish_acceptance(
        node, by=node.operator, second=second, document=shipped_document(f"scenes/{name}", **days)
    )


def _decide(demo: Demo, giver: Node, as_of: date, facts: dict[str, Any]) -> None:
    with demo.report.bar(f"{giver.id} levels"):
        run = level_actions.decide_levels(giver, by=giver.operator, rulebook_id="dengue-3", as_of=as_of)
    facts["levels"] = {
        "rulebook": f"{run.rulebook}@{run.version}",
        "persons": run.persons,
        "by_level": dict(run.levels),
        "seconds": run.seconds,
    }
    counts = ", ".join(f"{number:,} {level}" for level, number in run.levels.items() if number)
    demo.report.say(
        f"{giver.id}: levels for {run.persons:,} residents by {run.rulebook} {run.version}: {counts}",
        seconds=run.seconds,
    )


def _issue(demo: Demo, giver: Node, facts: dict[str, Any]) -> IssuedPass:
    governance_actions.create_account(
        giver,
        by=giver.operator,
        name=resident_number(0),  # a resident's account is named by the number that the vault knows
        display_name="Resident 居民",
        roles=frozenset({"resident"}),
        password=demo.password,
    )
    issued = pass_actions.issue_pass(giver, by=giver.operator, person=resident_number(0), hours=24)
    picture = demo.folder / "pass.png"
    picture.write_bytes(issued.qr_png())
    (demo.folder / "pass.txt").write_text(issued.text, encoding="ascii")
    facts["pass"] = {
        "pass_id": issued.pass_id,
        "resident": resident_number(0),
        "because": [dict(reason.texts) for reason in issued.reasons],
        "level": issued.level,
        "rulebook": f"{issued.rulebook}@{issued.version}",
        "reasons": [reason.rule_id for reason in issued.reasons],
        "characters": len(issued.text),
        "picture": str(picture),
        "text": issued.text,
        "text_file": str(demo.folder / "pass.txt"),
    }
    because = " ".join(reason.texts["en"] for reason in issued.reasons)
    demo.report.say(f"{giver.id} issued a pass to resident {resident_number(0)}: level {issued.level}. {because}")
    demo.report.say(f"      {len(issued.text)} characters, signed, no name on it; picture {picture}")
    return issued


def _recognise(demo: Demo, facts: dict[str, Any]) -> None:
    """Each region takes over what the other signed, the hub what both did: who recognises whom is then computed."""
    giver, taker, hub = demo.giver, demo.taker, demo.nodes["hub"]
    for node, party in ((giver, taker), (taker, giver), (hub, giver), (hub, taker)):
        bundle_actions.fetch_party_bundle(node, by=node.operator, party_id=party.id)
    found, let_in = facts.setdefault("recognition", {}), facts.setdefault("levels_let_in", {})
    for cell in matrix_queries.matrix(hub, MATRIX_SCENE).cells:
        if cell.issuer != cell.verifier and cell.answers:
            accepted = [level for level, answer in cell.answers.items() if answer is Answer.ACCEPTED]
            found[f"{cell.issuer} in {cell.verifier}"] = {name: str(answer) for name, answer in cell.answers.items()}
            let_in[f"{cell.issuer} in {cell.verifier}"] = {"accepted": len(accepted), "of": len(cell.answers)}
            demo.report.say(
                f"hub, by what both signed: {cell.verifier} lets {len(accepted)} of {len(cell.answers)} levels of "
                f"{cell.issuer} into public {MATRIX_SCENE}: {', '.join(accepted) or 'none'}"
            )


def _verify(demo: Demo, taker: Node, issued: IssuedPass, facts: dict[str, Any]) -> None:
    bundle = demo.folder / f"{taker.id}-trust-bundle.json"
    bundle.write_bytes(orjson.dumps(bundle_queries.bundle_file(taker)))
    facts["trust_bundle"] = str(bundle)
    # From here on without any network: the bundle's file and the text of the code are all that a verifier has.
    at = taker.clock() + timedelta(seconds=1)
    verified = facts[f"verified_by_{taker.id}"] = {}
    for scene in SCENES:
        answer = verify_pass(issued.text, trust=bundle, scene=scene, at=at)
        verified[scene] = answer.document()
        because = "; ".join(f"{reason.texts['en']} [{reason.rule_id}]" for reason in answer.reasons)
        demo.report.say(f"{taker.id}, offline, scene {scene}: {MARKS[str(answer.answer)]} {answer.answer}: {because}")
    answer = verify_pass(_altered(issued.text), trust=bundle, scene="workplace", at=at)
    facts["altered"] = answer.document()
    because = "; ".join(f"{reason.texts['en']} [{reason.rule_id}]" for reason in answer.reasons)
    demo.report.say(f"the same pass with one bit altered: {MARKS[str(answer.answer)]} {answer.answer}: {because}")


def _altered(text: str) -> str:
    """The pass with the last bit of what is signed turned over, packed as a forger would: all but the signature fits.

    A character altered in the text itself breaks the checksum of its compression, so that nothing can be read.
    """
    message = hcert.unpack(text)
    payload = cose.parse(message).payload
    return hcert.pack(message.replace(payload, payload[:-1] + bytes((payload[-1] ^ 1,)), 1))
