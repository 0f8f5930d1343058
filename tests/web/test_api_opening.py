"""Releases over HTTP: files with their digests and parts, pages of rows, and who is refused."""

from __future__ import annotations

import base64
import hashlib
import io
from typing import Any

import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from tests.web import world as worlds
from tests.web.world import World

WEEKLY = "/data/tw-dengue-weekly/v1/tw-dengue-weekly-v1"
RECORDS = "/data/tw-dengue-records/v1/tw-dengue-records-v1"
ROWS = "/api/opening/datasets/tw-dengue-weekly/rows"


def test_a_file_is_what_the_catalogue_says(client: TestClient) -> None:
    [dataset] = [d for d in client.get("/api/opening/datasets").json() if d["id"] == "tw-dengue-weekly"]
    files = dataset["releases"][0]["files"]
    assert [file["format"] for file in files] == ["csv", "json", "parquet"]
    for file in files:
        answer = client.get(file["url"])
        digest = hashlib.sha256(answer.content)
        assert answer.status_code == 200
        assert digest.hexdigest() == file["sha256"]
        assert len(answer.content) == file["bytes"]
        assert answer.headers["etag"] == f'"{file["sha256"]}"'
        assert answer.headers["repr-digest"] == f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"
        assert answer.headers["content-type"].partition(";")[0] == file["media_type"]
        assert answer.headers["content-disposition"].startswith("attachment; filename=")
        assert "immutable" in answer.headers["cache-control"]


def test_who_has_the_file_is_told_so(client: TestClient) -> None:
    etag = client.get(f"{WEEKLY}.csv").headers["etag"]
    again = client.get(f"{WEEKLY}.csv", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(f"{WEEKLY}.csv", headers={"If-None-Match": '"other"'}).status_code == 200
    head = client.head(f"{WEEKLY}.csv")
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", etag)


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-9", 206, slice(0, 10)),
        ("bytes=-7", 206, slice(-7, None)),
        ("bytes=100-", 206, slice(100, None)),
        ("bytes=999999999-", 416, None),
    ],
)
def test_a_part_of_a_file(client: TestClient, asked: str, status: int, part: slice | None) -> None:
    whole = client.get(f"{WEEKLY}.csv").content
    answer = client.get(f"{WEEKLY}.csv", headers={"Range": asked})
    assert answer.status_code == status
    if part is not None:
        assert answer.content == whole[part]
        assert answer.headers["content-range"].endswith(f"/{len(whole)}")


def test_a_part_is_continued_only_of_the_same_file(client: TestClient) -> None:
    whole = client.get(f"{WEEKLY}.csv")
    same = client.get(f"{WEEKLY}.csv", headers={"Range": "bytes=5-", "If-Range": whole.headers["etag"]})
    other = client.get(f"{WEEKLY}.csv", headers={"Range": "bytes=5-", "If-Range": '"other"'})
    assert (same.status_code, same.content) == (206, whole.content[5:])
    assert (other.status_code, other.content) == (200, whole.content)


@pytest.mark.parametrize(
    ("who", "status"),
    [("", 403), ("partner", 403), ("verifier", 403), ("resident", 403), ("steward", 200), ("authority", 200)],
)
def test_data_by_agreement_are_not_for_everyone(world: World, client: TestClient, who: str, status: int) -> None:
    headers = {"Authorization": f"Bearer {world.tokens[who]}"} if who else {}
    for address in (f"{RECORDS}.csv", "/api/opening/datasets/tw-dengue-records/rows"):
        answer = client.get(address, headers=headers)
        assert answer.status_code == status
        if status == 403:
            assert answer.json()["reasons"] == [
                "Data by agreement are delivered under an agreement: ask for them on the page of the dataset."
            ]
            assert answer.headers["content-type"] == "application/problem+json"
    if status == 200:
        assert client.get(f"{RECORDS}.csv", headers=headers).headers["cache-control"] == "private, no-store"


@pytest.mark.parametrize(
    "address",
    [
        "/data/tw-dengue-weekly/v2/tw-dengue-weekly-v2.csv",
        "/data/tw-dengue-weekly/v1/tw-dengue-weekly-v1.xlsx",
        "/data/tw-dengue-weekly/v1/tw-dengue-records-v1.csv",
        "/data/none/v1/none-v1.csv",
    ],
)
def test_what_is_not_there_is_not_found(client: TestClient, address: str) -> None:
    assert client.get(address).status_code == 404


def test_an_unknown_token_is_no_token(client: TestClient) -> None:
    answer = client.get(f"{WEEKLY}.csv", headers={"Authorization": "Bearer hutong_nobody"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


def test_pages_of_rows_put_together_are_the_file(client: TestClient) -> None:
    whole = client.get(f"{WEEKLY}.json").json()
    read: list[dict[str, Any]] = []
    after: int | None = 0
    pages = 0
    while after is not None:
        page = client.get(ROWS, params={"limit": 17, "after": after}).json()
        read += page["rows"]
        after = page["next_after"]
        pages += 1
    assert read == whole
    assert pages == -(-len(whole) // 17)


def test_rows_of_an_area_and_time(client: TestClient) -> None:
    whole = client.get(f"{WEEKLY}.json").json()
    asked = {"area": "TW-67", "from": "2015-08-01", "to": "2015-08-31", "limit": 1000}
    page = client.get(ROWS, params=asked).json()
    wanted = [
        row for row in whole if row["area_code"] == "TW-67" and "2015-08-01" <= row["period_start"] <= "2015-08-31"
    ]
    assert page["rows"] == wanted
    assert wanted
    assert page["next_after"] is None
    assert page["suppression"].startswith("Counts from 1 to 4 are withheld")
    assert client.get(f"{WEEKLY}.json", params={"area": ""}).json() == whole  # as a form sends that nothing is chosen


def test_a_file_of_an_area_and_time_has_its_rows_in_every_form(client: TestClient) -> None:
    asked = {"area": "TW-67", "from": "2015-08-01", "to": "2015-08-31"}
    wanted = client.get(ROWS, params={**asked, "limit": 1000}).json()["rows"]
    assert 3 <= len(wanted) <= 5
    answer = client.get(f"{WEEKLY}.json", params=asked)
    assert answer.json() == wanted
    assert answer.headers["content-disposition"] == 'attachment; filename="tw-dengue-weekly-v1-selection.json"'
    digest = base64.b64encode(hashlib.sha256(answer.content).digest()).decode()
    assert answer.headers["repr-digest"] == f"sha-256=:{digest}:"
    assert (
        client.get(f"{WEEKLY}.json", params=asked, headers={"if-none-match": answer.headers["etag"]}).status_code == 304
    )
    lines = client.get(f"{WEEKLY}.csv", params=asked).text.splitlines()
    assert [line.split(",")[4] for line in lines[1:]] == [row["period_start"] for row in wanted]
    parquet = client.get(f"{WEEKLY}.parquet", params=asked).content
    assert pq.read_table(io.BytesIO(parquet))["value"].to_pylist() == [row["value"] for row in wanted]


def test_what_is_not_open_is_not_open_in_parts(client: TestClient) -> None:
    assert client.get(f"{RECORDS}.csv?from=2015-08-01").status_code == 403
    assert client.get(f"{WEEKLY}.csv?from=soon").status_code == 422


@pytest.mark.parametrize("who", ["", "partner"])
def test_who_may_not_download_is_told_where_to_ask(world: World, client: TestClient, who: str) -> None:
    headers = {"Authorization": f"Bearer {world.tokens[who]}"} if who else {}
    told = client.get(f"{RECORDS}.csv", headers=headers).json()
    assert told["policies"] == ["agreement-needed"]
    asked = "Ask for them at /en/requests/new?dataset=tw-dengue-records, or with the command `hutong request`."
    assert told["detail"] == asked
    form = client.get("/en/requests/new?dataset=tw-dengue-records")
    assert form.status_code != 404


def test_what_is_no_choice_is_no_empty_answer(world: World, client: TestClient) -> None:
    for address in (f"{ROWS}?", f"{WEEKLY}.csv?"):
        unknown = client.get(f"{address}area=TW-6702X")
        assert (unknown.status_code, unknown.json()["title"], unknown.json()["detail"]) == (
            404,
            "There is no area TW-6702X in this release.",
            "The nearest code is TW-6702.",
        )
        backwards = client.get(f"{address}from=2015-08-01&to=2015-07-01")
        assert (backwards.status_code, backwards.json()["title"]) == (422, "The first day is after the last.")
    # What the node knows as an area and the release doesn't list had no case.
    table = world.node.engine.table("area")
    known = set(world.node.engine.to_arrow(table.select("area_code"))["area_code"].to_pylist())
    listed = {row["area_code"] for row in client.get(f"{ROWS}?limit=1000").json()["rows"]}
    for code in sorted(known - listed)[:1]:
        assert client.get(f"{ROWS}?area={code}").json()["rows"] == []


@pytest.mark.parametrize("asked", ["limit=1001", "limit=0", "after=-1", "from=yesterday", "version=0"])
def test_a_page_that_is_none_is_refused(client: TestClient, asked: str) -> None:
    assert client.get(f"{ROWS}?{asked}").status_code == 422


def test_who_may_not_publish_publishes_nothing(world: World, client: TestClient) -> None:
    given = {"publication": worlds.text_of("publications/tw-weekly.yaml").replace("threshold: 5", "threshold: 3")}
    for role in ("partner", "auditor", "verifier", "resident", "authority"):
        answer = client.post(
            "/api/opening/releases", json=given, headers={"Authorization": f"Bearer {world.tokens[role]}"}
        )
        assert answer.status_code == 403
    assert len(client.get("/api/opening/datasets/tw-dengue-weekly").json()["releases"]) == 1


def test_publishing_the_same_again_gives_the_same_release(world: World, client: TestClient) -> None:
    headers = {"Authorization": f"Bearer {world.tokens['steward']}"}
    given = {"publication": worlds.text_of("publications/tw-weekly.yaml")}
    answer = client.post("/api/opening/releases", json=given, headers=headers)
    told = answer.json()
    assert (answer.status_code, told["id"], told["repeated"]) == (201, "tw-dengue-weekly@1", True)
    kept = client.get("/api/opening/datasets/tw-dengue-weekly").json()["releases"]
    assert [release | {"repeated": True} for release in kept] == [told]


def test_a_preview_says_what_would_be_published_and_publishes_nothing(client: TestClient, world: World) -> None:
    body = {"publication": worlds.text_of("publications/tw-weekly.yaml")}
    before = world.node.log.size()
    header = {"Authorization": f"Bearer {world.tokens['steward']}"}
    told = client.post("/api/opening/previews", json=body, headers=header).json()
    [dataset] = [d for d in client.get("/api/opening/datasets").json() if d["id"] == "tw-dengue-weekly"]
    release = dataset["releases"][-1]
    assert (told["dataset"], told["grade"], told["rows"]) == ("tw-dengue-weekly", 0, release["rows"])
    assert (told["suppression"], told["risk"], told["as_of"]) == (
        release["suppression"],
        release["risk"],
        release["as_of"],
    )
    assert told["columns"] == client.get(ROWS).json()["columns"]
    other = {"publication": body["publication"].replace("indicator: dengue-cases", "indicator: dengue-case")}
    refused = client.post("/api/opening/previews", json=other, headers=header)
    assert (refused.status_code, "dengue-cases" in refused.json()["title"] + refused.json()["detail"]) == (422, True)
    assert world.node.log.size() == before
    for who, status in (("partner", 403), ("authority", 403)):
        header = {"Authorization": f"Bearer {world.tokens[who]}"}
        assert client.post("/api/opening/previews", json=body, headers=header).status_code == status
    assert client.post("/api/opening/previews", json=body).status_code == 403


def test_a_file_that_was_altered_or_is_missing_is_not_handed_out(world: World, client: TestClient) -> None:
    folder = world.node.settings.releases_folder / "tw-dengue-weekly" / "v1"
    for format_ in ("csv", "parquet"):
        file = folder / f"tw-dengue-weekly-v1.{format_}"
        whole = file.read_bytes()
        assert client.get(f"{WEEKLY}.{format_}").content == whole
        try:
            file.write_bytes(whole.replace(b"1", b"2", 1))
            altered = client.get(f"{WEEKLY}.{format_}")
            assert (altered.status_code, altered.json()["type"]) == (422, "urn:hutong:problem:tampered")
            file.unlink()
            missing = client.get(f"{WEEKLY}.{format_}")
            assert (missing.status_code, missing.json()["detail"]) == (503, "Restore it from the backup.")
            if format_ == "parquet":
                assert client.get(ROWS).status_code == 503
                page = client.get("/en/datasets/tw-dengue-weekly")
                assert page.status_code == 503 and "file is missing" in page.text
        finally:
            file.write_bytes(whole)
        assert client.get(f"{WEEKLY}.{format_}").status_code == 200
