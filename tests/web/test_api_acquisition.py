"""Sending files over HTTP: one receipt, durable and in the lake soon after; limits and refusals before anything."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from hutong.node import Node
from hutong.web import jobs
from hutong.web.app import create_app
from tests.web import world as worlds
from tests.web.world import World

SUBMISSIONS = "/api/acquisition/submissions"


@pytest.fixture
def changing(tmp_path: Path) -> Iterator[World]:
    node = worlds.make_node(tmp_path)
    yield World(node, (), worlds.people(node))
    node.close()


def send(client: TestClient, token: str, content: bytes, *, name: str = "cases.csv", **fields: str) -> Any:
    data = {"source": "tw-dengue", "mapping": worlds.text_of("mappings/taiwan-case.yaml"), **fields}
    return client.post(
        SUBMISSIONS, data=data, files={"file": (name, content)}, headers={"Authorization": f"Bearer {token}"}
    )


def cases_in_lake(node: Node) -> int:
    return int(node.engine.to_arrow(node.engine.table("case").count().as_table())[0][0].as_py())


def test_a_file_is_acknowledged_and_reaches_the_lake(changing: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "JOBS", tuple(replace(job, period_seconds=0.05) for job in jobs.JOBS))
    with TestClient(create_app(changing.node)) as client:
        answer = send(client, changing.tokens["steward"], worlds.case_list(60), name="../../etc/ca\x00ses.csv")
        assert answer.status_code == 201
        receipt = answer.json()
        assert (receipt["rows"], receipt["accepted"], receipt["held"], receipt["rejected"]) == (60, 51, 9, 0)
        assert "/" not in receipt["file_name"]
        deadline = time.monotonic() + 90
        while not changing.node.lake.exists("case") or cases_in_lake(changing.node) < 51:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert cases_in_lake(changing.node) == 51
        again = send(client, changing.tokens["steward"], worlds.case_list(60))
        assert (again.json()["repeated"], again.json()["id"]) == (True, receipt["id"])
    assert not list(changing.node.settings.folder.glob("upload-*"))


def test_rows_that_were_held_are_paged_with_their_reasons(changing: World) -> None:
    client = TestClient(create_app(changing.node))
    receipt = send(client, changing.tokens["steward"], worlds.case_list(60)).json()["id"]
    headers = {"Authorization": f"Bearer {changing.tokens['auditor']}"}
    address = f"/api/acquisition/receipts/{receipt}/items"
    first = client.get(address, params={"limit": 5}, headers=headers).json()
    second = client.get(address, params={"limit": 5, "after": first["next_after"]}, headers=headers).json()
    assert [len(first["items"]), len(second["items"]), second["next_after"]] == [5, 4, None]
    assert {item["rule"] for item in first["items"]} == {"notification-before-onset"}
    assert all(item["raw"] and item["reason"] for item in first["items"])
    assert client.get(address).status_code == 403
    assert client.get(address, params={"outcome": "rejected"}, headers=headers).json()["items"] == []


def test_held_rows_are_decided_about(changing: World) -> None:
    client = TestClient(create_app(changing.node))
    receipt = send(client, changing.tokens["steward"], worlds.case_list(60)).json()["id"]
    here = f"/api/acquisition/receipts/{receipt}"
    headers = {"Authorization": f"Bearer {changing.tokens['steward']}"}

    def decide(role: str = "steward", **given: Any) -> Any:
        order = {"rule": "notification-before-onset", "outcome": "released", "reason": "Confirmed.", **given}
        token = {"Authorization": f"Bearer {changing.tokens[role]}"}
        return client.post(f"{here}/decisions", json=order, headers=token)

    waiting = client.get("/api/acquisition/held", headers=headers).json()
    assert [(one["receipt"], one["waiting"]) for one in waiting] == [(receipt, 6), (receipt, 3)]
    numbers = [item["row_number"] for item in client.get(f"{here}/items", headers=headers).json()["items"]]
    assert decide("auditor").status_code == decide("authority").status_code == 403
    first = decide(rows=numbers[:2])
    assert (first.status_code, first.json()["rows"], first.json()["repeated"]) == (201, 2, False)
    assert decide(rows=numbers[:2]).json()["id"] == first.json()["id"]
    assert decide(rows=numbers[:3]).status_code == 409
    assert decide(rule="none").status_code == decide(rows=[10_000]).status_code == 404
    assert decide(rule="a\x00").status_code == 404
    assert [decide(**wrong).status_code for wrong in ({"rows": []}, {"outcome": "kept"}, {"reason": " "})] == [422] * 3
    rest = decide(outcome="discarded", reason="Entered twice.").json()
    assert (rest["rows"], rest["all_of_rule"], rest["by"]) == (4, True, "steward")
    told = client.get(f"{here}/held", headers=headers).json()
    assert [told["rules"][1][name] for name in ("waiting", "released", "discarded")] == [0, 2, 4]
    assert {made["reason"] for made in told["decisions"]} == {"Confirmed.", "Entered twice."}
    assert (
        client.get(f"{here}/items", params={"outcome": "waiting"}, headers=headers).json()["items"][0]["decision"]
        is None
    )
    items = client.get(f"{here}/items", headers=headers).json()["items"]
    assert [item["decision"] for item in items[:3]] == ["released", "released", "discarded"]
    assert "sealed" not in items[0]
    assert changing.node.move_inbox() == {"case": 53}


@pytest.mark.parametrize("who", ["", "partner", "auditor", "resident", "verifier", "authority"])
def test_who_may_not_send_files_leaves_nothing(changing: World, who: str) -> None:
    client = TestClient(create_app(changing.node))
    answer = send(client, changing.tokens[who] if who else "hutong_unknown", worlds.case_list(20))
    assert answer.status_code == (403 if who else 401)
    assert changing.node.log.entries(kind="receipt.issued") == []


def test_only_who_may_send_files_may_send_large_ones(changing: World) -> None:
    limits = replace(changing.node.settings.limits, request_bytes=10_000, file_bytes=30_000)
    node = replace(changing.node, settings=replace(changing.node.settings, limits=limits))
    client = TestClient(create_app(node))
    small = worlds.case_list(100)
    assert 10_000 < len(small) < 30_000
    assert send(client, changing.tokens["steward"], small).status_code == 201
    assert send(client, changing.tokens["partner"], small).status_code == 413
    assert send(client, changing.tokens["steward"], worlds.case_list(400)).status_code == 413
    elsewhere = client.post("/api/acquisition/quality", content=b"x" * 10_001)
    assert elsewhere.status_code == 413


@pytest.mark.parametrize(
    ("content", "fields", "status"),
    [
        (b"", {}, 422),
        (b"PK\x03\x04 not a list", {}, 422),
        (b"a,b\n1,2\n", {"mapping": "mapping: x\nversion: 1\ntable: case\nelements: {nothing: {from: a}}"}, 422),
        (b"a,b\n1,2\n", {"mapping": "]["}, 422),
        (worlds.case_list(5), {"source": "nobody"}, 404),
    ],
)
def test_what_can_not_be_used_changes_nothing(
    changing: World, content: bytes, fields: dict[str, str], status: int
) -> None:
    client = TestClient(create_app(changing.node))
    size = changing.node.log.size()
    answer = send(client, changing.tokens["steward"], content, **fields)
    assert answer.status_code == status
    assert answer.json()["title"]
    assert answer.json()["detail"]
    assert changing.node.log.size() == size


def test_a_source_is_declared_once(changing: World) -> None:
    client = TestClient(create_app(changing.node))
    headers = {"Authorization": f"Bearer {changing.tokens['steward']}"}
    given = {**worlds.SOURCE.document(), "id": "second"}
    assert client.post("/api/acquisition/sources", json=given, headers=headers).status_code == 201
    again = client.post("/api/acquisition/sources", json=given, headers=headers)
    assert (again.status_code, again.json()["id"]) == (200, "second")
    other = client.post("/api/acquisition/sources", json={**given, "provider": "Someone else"}, headers=headers)
    assert other.status_code == 409
    assert [source["id"] for source in client.get("/api/acquisition/sources").json()] == ["second", "tw-dengue"]


def test_a_boundary_is_set_by_an_authority(changing: World) -> None:
    client = TestClient(create_app(changing.node))
    given = {
        "id": "narrow",
        "emergency": "dengue-2026",
        "purpose": "Counting",
        "tables": {"case": ["disease", "case_count", "onset_date", "sex"]},
        "valid_until": "2026-07-01",
    }
    for role, status in (("steward", 403), ("authority", 201)):
        headers = {"Authorization": f"Bearer {changing.tokens[role]}"}
        assert client.post("/api/acquisition/boundaries", json=given, headers=headers).status_code == status
    headers = {"Authorization": f"Bearer {changing.tokens['authority']}"}
    beyond = {**given, "id": "beyond", "valid_until": "2027-01-01"}
    assert client.post("/api/acquisition/boundaries", json=beyond, headers=headers).status_code == 422
    useless = {**given, "id": "useless", "tables": {"symptom": ["pseudonym", "symptom"]}}
    answer = client.post("/api/acquisition/boundaries", json=useless, headers=headers)
    assert (answer.status_code, "keeps out present" in answer.json()["title"]) == (422, True)
    assert {known["id"] for known in client.get("/api/acquisition/boundaries").json()} == {"narrow", "dengue-lists"}


def test_quality_is_assessed_and_shown(world: World, client: TestClient) -> None:
    report = client.get("/api/acquisition/quality/tw-dengue").json()
    assert report["rows"] == 891
    assert {d["dimension"] for d in report["dimensions"]} >= {"completeness", "validity", "consistency"}
    late = next(rule for rule in report["results"] if rule["concerned"] == worlds.WRONG_ORDER)
    assert late["checked"] >= late["concerned"]
    assert client.get("/api/acquisition/quality/none").status_code == 404


def test_what_a_killed_upload_left_goes_when_the_node_is_served(changing: World) -> None:
    folder = changing.node.settings.folder
    now = changing.node.clock().timestamp()
    hours = {"upload-old": 25, "upload-busy": 25, "upload-new": 1, "other-old": 25}
    for name, age in hours.items():
        (folder / name).mkdir()
        part = folder / name / "list.csv"
        part.write_bytes(b"a,b\n")
        os.utime(part, (now, now - (age if name != "upload-busy" else 1) * 3600))
        os.utime(folder / name, (now, now - age * 3600))
    (folder / "upload-file").write_bytes(b"")
    os.utime(folder / "upload-file", (0, 0))
    with TestClient(create_app(changing.node)) as client:
        assert client.get("/api/acquisition/sources").status_code == 200
    left = {path.name for path in folder.iterdir() if path.name.startswith(("upload-", "other-"))}
    assert left == {"upload-busy", "upload-new", "upload-file", "other-old"}


def test_a_mapping_sent_as_a_file_is_told_how_to_be_sent(world: World, client: TestClient) -> None:
    headers = {"Authorization": f"Bearer {world.tokens['steward']}"}
    given = {"file": ("cases.csv", b"a\n1\n"), "mapping": ("cases.yaml", b"mapping: x")}
    answer = client.post(SUBMISSIONS, data={"source": "tw-dengue"}, files=given, headers=headers)
    assert (answer.status_code, answer.json()["title"], answer.json()["detail"]) == (
        422,
        "body.mapping: it was sent as a file; it is a text.",
        "Send the file's text, with curl: -F 'mapping=<FILE'.",
    )
    answer = client.post(
        "/api/acquisition/quality", content=b"{x", headers=headers | {"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["title"]) == (422, "The body is no JSON (character 2).")
