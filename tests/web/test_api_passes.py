"""What authorities and holders do with rules, keys and passes, over HTTP as on the pages."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import yaml

from hutong.passes.documents import shipped_document
from hutong.passes.issuance import actions as pass_actions
from hutong.passes.rulebook import queries as rulebook_queries
from hutong.web.api.passes import MAX_TEXT
from tests.kept import Kept
from tests.passes import region
from tests.passes.credential.test_read_bad_input import BAD_TEXTS, BOMBS
from tests.passes.region import FROM, LI, TO, WANG
from tests.web.test_pages_passes import Doors, again, make


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    made = make(tmp_path_factory.mktemp("rules"))
    yield made
    made.node.close()


def draft(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(shipped_document("dengue-three-levels", valid_from=FROM, valid_to=TO, **changes))


def stricter(version: str = "1.2.0") -> dict[str, Any]:
    """A fever alone gives the highest level."""
    document = draft(version=version, notice_hours=36)
    next(rule for rule in document["rules"] if rule["id"] == "fever")["level"] = "high"
    document["tests"] = document["tests"][:1]
    return document


def post(doors: Doors, path: str, body: Any, who: str | None = "li") -> Any:
    return doors.client().post(path, json=body, headers=doors.header(who) if who else {})


def check(doors: Doors, document: Any, *, kind: str = "rulebook", who: str | None = "li") -> Any:
    return post(doors, f"/api/passes/rules/{kind}/check", {"document": yaml.safe_dump(document)}, who)


def test_a_checked_rulebook_is_told_in_words_and_judged_and_not_published(doors: Doors) -> None:
    before = doors.node.log.size()
    answer = check(doors, stricter())
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["id"], told["version"], told["about"], told["tests"]) == ("dengue-3", "1.2.0", "dengue-2015", 1)
    fever = next(rule for rule in told["rules"] if rule["id"] == "fever")
    assert fever["gives"] == "high"
    assert set(fever["text"]) == {"en", "zh"}
    assert told["rules"][-1]["id"] == "default"
    assert told["verdict"]["because"] == "somebody-gets-a-worse-level"
    assert (told["verdict"]["old_level"], told["verdict"]["new_level"]) == ("medium", "high")
    assert told["effective_from"] == "2026-03-02T20:00:00Z"  # its 36 hours after now
    assert doors.node.log.size() == before
    assert {one.rulebook.version for one in rulebook_queries.rulebook_versions(doors.node, "dengue-3")} == {"1.1.0"}


def test_a_check_says_what_is_missing(doors: Doors) -> None:
    lacking = stricter()
    del lacking["rules"][0]["text"]["zh"]
    answer = check(doors, lacking)
    assert answer.status_code == 422
    assert "has no 'text' in 'zh'" in answer.json()["title"]
    same = check(doors, draft())
    assert same.status_code == 409
    assert same.json()["title"] == "Version 1.1.0 of dengue-3 does not follow 1.1.0."
    assert check(doors, "no object").status_code == 422
    assert check(doors, stricter(), who="chen").status_code == 403
    assert check(doors, stricter(), who=None).status_code == 403
    assert check(doors, stricter(), kind="poem").status_code == 422


def test_crosswalks_and_scenes_are_checked_in_the_same_form(doors: Doors) -> None:
    rises = {"valid_from": FROM, "valid_to": TO, "version": "1.1.1"}
    crosswalk = check(doors, shipped_document("crosswalks/dengue-three-levels", **rises), kind="crosswalk").json()
    assert crosswalk["about"] == "dengue-3"
    assert [(line["id"], line["gives"]) for line in crosswalk["rules"]] == [
        ("low", "low"),
        ("medium", "medium"),
        ("high", "high"),
    ]
    scenes = check(doors, shipped_document("scenes/dengue-three-levels", **rises), kind="scenes").json()
    assert "transport" in {line["gives"] for line in scenes["rules"]}
    assert scenes["verdict"] is None
    known = shipped_document("crosswalks/dengue-three-levels", **{**rises, "version": "1.0.0"})
    assert check(doors, known, kind="crosswalk").status_code == 409


def test_publication_needs_a_second_person_who_may(kept: Kept) -> None:
    doors = again(kept)
    body = {"document": orjson.dumps(stricter()).decode()}
    path = "/api/passes/rules/rulebook"
    for second, status in (("li", 403), ("chen", 403), ("R1", 403)):
        assert post(doors, path, body | {"second_token": doors.tokens[second]}).status_code == status
    assert post(doors, path, body | {"second_token": "hutong_nobody"}).status_code == 401
    # Who may not publish learns nothing about another person's token.
    assert post(doors, path, body | {"second_token": "hutong_nobody"}, "chen").status_code == 403
    assert len(rulebook_queries.rulebook_versions(doors.node, "dengue-3")) == 1
    answer = post(doors, path, body | {"second_token": doors.tokens["wang"]})
    assert answer.status_code == 201, answer.text
    assert answer.json()["effective_from"] == "2026-03-02T20:00:00Z"
    newest = rulebook_queries.rulebook_versions(doors.node, "dengue-3")[0]
    assert newest.rulebook.version == "1.2.0"
    assert newest.rulebook.hash == answer.json()["hash"]
    (entry,) = doors.node.log.entries(kind="rulebook.published", limit=1)
    assert (entry.event["by"], entry.event["second"]) == ("li", "wang")
    doors.node.close()


def test_a_rulebook_is_tried(doors: Doors) -> None:
    facts = {"residence_risk": "high", "fever": True}
    answer = post(doors, "/api/passes/rulebooks/dengue-3/level", {"facts": facts}, None).json()
    assert (answer["level"], answer["rule_ids"]) == ("high", ["fever-high-area"])
    assert answer["reasons"][0]["text"]["zh"] == "您发热，并且居住在或曾停留在高风险地区。"
    nothing = post(doors, "/api/passes/rulebooks/dengue-3/level", {"facts": {}}, None).json()
    assert (nothing["level"], nothing["rule_ids"]) == ("unknown", [])
    wrong = post(doors, "/api/passes/rulebooks/dengue-3/level", {"facts": {"symptoms": "yes"}}, None)
    assert wrong.status_code == 422
    assert "'symptoms' is not of the type boolean" in wrong.json()["title"]


def test_keys_and_revocations_are_for_authorities_and_auditors(doors: Doors) -> None:
    issued = pass_actions.issue_pass(doors.node, by=LI, person="R5")
    pass_actions.revoke_pass(
        doors.node, by=LI, second=WANG, pass_id=issued.pass_id, rule_id="forged", reason="Sold to the neighbour."
    )
    call = doors.client()
    for path in ("/api/passes/keys", "/api/passes/revocations"):
        assert call.get(path).status_code == 403
        assert call.get(path, headers=doors.header("R1")).status_code == 403
    keys = call.get("/api/passes/keys", headers=doors.header("li")).json()
    assert [(one["key_id"], one["state"]) for one in keys["keys"]] == [(doors.node.keys.pass_key_id, "in-use")]
    answer = call.get("/api/passes/revocations", headers=doors.header("li"))
    told = answer.json()["revocations"][0]
    assert (told["pass_id"], told["rule"], told["by"], told["second"]) == (issued.pass_id, "forged", "li", "wang")
    for hidden in ("neighbour", region.pseudonym(doors.node, "R5")):
        assert hidden not in answer.text


def test_a_holder_chooses_facts_shows_them_and_prints_the_pass(doors: Doors) -> None:
    call, mine = doors.client(), doors.header("R1")
    known = call.get("/api/passes/facts", headers=mine).json()
    assert "level-reasons" in {one["name"] for one in known}
    assert call.get("/api/passes/facts?person=R2", headers=mine).status_code == 403
    made = post(doors, "/api/passes", {"person": "R1", "facts": ["level-reasons"]}, "R1").json()
    plain = post(doors, "/api/passes/disclosure", {"text": made["text"], "disclosures": []}, None).json()
    assert plain["facts"] == {}
    opened = post(
        doors, "/api/passes/disclosure", {"text": made["text"], "disclosures": list(made["disclosures"].values())}, None
    ).json()
    assert list(opened["facts"]) == ["level-reasons"]
    assert opened["text"].startswith(made["text"] + "~")
    held = {"text": made["text"], "holder_secret": made["holder_secret"]}
    page = post(doors, "/api/passes/page", held, "R1")
    assert page.headers["content-type"] == "application/pdf"
    assert page.content.startswith(b"%PDF-")
    assert page.headers["cache-control"] == "no-store"
    wallet = post(doors, "/api/passes/wallet-text", held, "R1").json()["text"]
    assert made["text"] in wallet
    assert post(doors, "/api/passes/page", held | {"holder_secret": "A" * 22}, "R1").status_code == 403
    assert post(doors, "/api/passes/wallet-text", held, None).status_code == 403
    altered = made["text"][:-5] + ("AAAAA" if made["text"][-5:] != "AAAAA" else "BBBBB")
    assert post(doors, "/api/passes/disclosure", {"text": altered, "disclosures": []}, None).status_code in {403, 422}


def test_a_proof_is_checked_and_witnesses_are_named(doors: Doors) -> None:
    call = doors.client()
    proof = call.get("/api/log/entries/0/proof").json()
    found = post(doors, "/api/log/proof-check", {"proof": orjson.dumps(proof).decode()}, None).json()
    assert (found["index"], found["ours"]) == (0, True)
    assert found["event"] == proof["entry"]
    wrong = post(doors, "/api/log/proof-check", {"proof": orjson.dumps(proof | {"index": 1}).decode()}, None)
    assert wrong.status_code == 422
    assert call.get("/api/log/witnesses").json() == []


def test_a_bad_text_is_unknown_or_refused_as_a_request(doors: Doors) -> None:
    """Whatever a scanner sends: an answer that accepts nothing, or one error; nothing is kept."""
    before, client = doors.node.log.size(), doors.client()
    for name, text in (BAD_TEXTS | BOMBS).items():
        body = json.dumps({"text": text, "scene": "transport"})  # a lone surrogate is escaped, as JSON allows
        said = client.post("/api/passes/verify", content=body, headers={"Content-Type": "application/json"})
        if len(text) > MAX_TEXT or "surrogate" in name:
            assert said.status_code in (400, 413, 422), name
        else:
            assert (said.status_code, said.json()["answer"]) == (200, "unknown"), name
    assert doors.node.log.size() == before
