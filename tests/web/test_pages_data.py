"""The pages that everyone reads: in both languages, with the numbers of the release, clear when asked for nonsense."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from hutong.acquisition import queries as acquisition
from hutong.governance.account import Session
from hutong.node import Node
from hutong.opening import queries
from hutong.opening.catalogue.catalogue import ACCESS_RIGHTS, Dataset
from hutong.sharing import catalogue
from hutong.storage.kept import Kept
from hutong.trust.authorisation import PUBLIC, Actor, Resource
from hutong.trust.log.note import parse_verifier_key
from hutong.web import released_figures
from hutong.web.app import create_app
from hutong.web.doors import get_session
from hutong.web.findings import WeekCount, curve_finding
from hutong.web.i18n import CHINESE, ENGLISH, translations
from tests.conftest import NewNode
from tests.web.test_look import CSS_BUDGET_BYTES, DASHBOARD_BUDGET_BYTES, FORM_BUDGET_BYTES
from tests.web.world import World

DASHBOARDS = ("", "datasets/tw-dengue-weekly")
LISTS = (
    "catalogue",
    "catalogue?q=dengue&grade=0",
    "catalogue?q=%E7%99%BB%E9%9D%A9%E7%83%AD&sort=newest",
    "catalogue?q=nothing+like+this",
    "datasets/tw-dengue-records",
    "datasets/tw-dengue-weekly?version=1&area=TW-67&from=2015-07-05&to=2015-08-30",
    "about/tw-dengue-weekly/curve",
    "about/tw-dengue-weekly/recent",
    "about/tw-dengue-weekly/map",
    "about/tw-dengue-weekly/areas?version=1",
    "developers",
    "developers/opening",
    "developers/sharing",
    "sign-in",
)
WEEKLY, RECORDS = "tw-dengue-weekly", "tw-dengue-records"


def text_of(page: str) -> str:
    """What a reader sees, without markup."""
    plain = re.sub(r"<(script|style|svg).*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", plain)))


def offered(line: str) -> bool:
    """Whether the command line has this command, with these options."""
    import typer

    from hutong.cli.main import app

    words = shlex.split(line)[1:]
    command: Any = typer.main.get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    options = {option for parameter in command.params for option in parameter.opts}
    return not hasattr(command, "commands") and {word for word in words if word.startswith("--")} <= options


def rows_of(node: Node, dataset: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = pq.read_table(
        queries.release_file(node, queries.release(node, dataset), "parquet")
    ).to_pylist()
    return rows


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("path", [*DASHBOARDS, *LISTS])
def test_a_page_stands_in_its_language_within_its_budget(client: TestClient, language: str, path: str) -> None:
    answer = client.get(f"/{language}/{path}")
    assert answer.status_code == 200, answer.text[:400]
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert f'<html lang="{ {"en": "en", "zh": "zh-Hans"}[language] }">' in answer.text
    other = {"en": "zh", "zh": "en"}[language]
    assert f'href="/{other}/{path.partition("?")[0]}' in answer.text
    name = path.partition("?")[0]
    budget = DASHBOARD_BUDGET_BYTES if name in DASHBOARDS else FORM_BUDGET_BYTES
    assert len(answer.content) + CSS_BUDGET_BYTES <= budget
    # A data block is no script; nothing runs on these pages, and nothing comes from another site.
    assert "<script" not in answer.text.replace('<script type="application/ld+json">', "")
    assert not re.search(r"\sstyle=", answer.text)
    assert not re.search(r"\ssrc=\W?(?:https?:)?//", answer.text)
    ids = re.findall(r'\sid="([^"]+)"', answer.text)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("path", [*DASHBOARDS, *LISTS])
def test_no_english_sentence_stays_on_a_chinese_page(client: TestClient, path: str) -> None:
    page = client.get(f"/zh/{path}").text
    page = re.sub(r'<(\w+)[^>]*\slang="en".*?</\1>', " ", page, flags=re.DOTALL)
    page = re.sub(r"<(code|pre|select|thead).*?</\1>", " ", page, flags=re.DOTALL)
    known = ("SHA-256", "Hutong", "Dist", "City", "DCAT", "TOKEN", "RFC", "Apache", "North", "East", "Sanmin", "Lingya")
    for sentence in re.findall(r"(?:\b[A-Za-z][a-z]+ ){3,}[a-z]+", text_of(page)):
        assert any(word in sentence for word in known), sentence


def test_home_shows_the_numbers_of_the_release(world: World, client: TestClient) -> None:
    rows = rows_of(world.node, WEEKLY)
    weeks = sorted({row["period_start"] for row in rows})[-52:]
    country = [row for row in rows if row["level"] == "country" and row["period_start"] in weeks]
    total = sum(int(str(row["value"])) for row in country if row["value"] is not None)
    withheld = sum(row["value"] is None for row in country)
    page = text_of(client.get("/en/").text)
    assert f"{total:,}" in page
    assert f"{withheld} week" in page
    peak = max(int(str(row["value"])) for row in country if row["value"] is not None)
    assert f"{peak:,}" in page
    # The emergency with its dates, and the size of the log.
    assert "Dengue outbreak 2026" in page
    for date in ("1 February 2026", "1 May 2026", "1 August 2026"):
        assert date in page
    assert f"{world.node.log.size()} entries" in page


def test_the_map_says_for_each_area_what_is_published_and_what_is_withheld(world: World, client: TestClient) -> None:
    release = queries.release(world.node, WEEKLY)
    path = queries.release_file(world.node, release, "parquet")
    from hutong.opening.released_counts import read_counts

    counts = read_counts(path, latest_weeks=52)
    assert counts is not None
    page = client.get("/en/").text
    table = page[page.index("Per 100,000 residents") :]
    areas = released_figures.areas(world.node)
    checked = 0
    for code in ("TW-67", "TW-64"):
        area = counts.sum_of(code)
        row = re.search(rf">{areas[code].names['name_en']}</th>(.*?)</tr>", table, re.DOTALL)
        assert row is not None
        cells = [text_of(cell).strip() for cell in re.findall(r"<td.*?</td>", row[1], re.DOTALL)]
        population = areas[code].population
        assert population
        assert cells[0] == ("withheld" if area.count is None else f"{area.count:,}")
        assert cells[1] == str(area.withheld_weeks)
        checked += 1
    assert checked == 2


def test_catalogue_counts_and_facets_fit_the_api(client: TestClient) -> None:
    found = client.get("/api/search", params={"q": "dengue"}).json()
    page = client.get("/en/catalogue", params={"q": "dengue"}).text
    assert f"<h1>{found['total']} data sets for “dengue”</h1>" in page
    assert page.count('class="hit"') == found["total"] == 2
    for facet in found["facets"]["grade"]:
        assert f"grade={facet['value']}" in page
    # Choosing a value is a link, and taking it out again too.
    chosen = client.get("/en/catalogue?q=dengue&grade=2").text
    assert chosen.count('class="hit"') == 1
    assert 'aria-current="true"' in chosen
    assert 'href="?q=dengue"' in chosen
    assert text_of(client.get("/zh/catalogue?q=登革热").text).count("登革热") > 2


def test_the_catalogue_tells_search_engines_what_it_lists(client: TestClient) -> None:
    page = client.get("/zh/catalogue?q=dengue").text
    linked = json.loads(re.search(r'<script type="application/ld\+json">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    assert linked["@type"] == "DataCatalog"
    listed = [dataset["url"].partition("/datasets/")[2] for dataset in linked["dataset"]]
    assert listed == re.findall(r'<h3><a href="/zh/datasets/([^"]+)"', page)
    assert listed


def test_home_tells_search_engines_whose_the_node_is(client: TestClient) -> None:
    page = client.get("/en/").text
    told = json.loads(page.split('<script type="application/ld+json">')[1].split("</script>")[0])
    assert (told["@type"], told["publisher"]["@type"]) == ("DataCatalog", "GovernmentOrganization")
    assert told["publisher"]["areaServed"]["identifier"] == "TW"
    assert [dataset["@type"] for dataset in told["dataset"]] == ["Dataset"] * len(told["dataset"]) != []


def test_the_log_page_says_how_the_whole_log_is_checked(client: TestClient) -> None:
    page = client.get("/zh/log").text
    assert '<a href="/api/log/check">' in page
    assert "<code>hutong log check</code>" in page
    assert client.get("/api/log/check").status_code == 200


def test_the_catalogue_as_csv_is_the_same_list(client: TestClient) -> None:
    answer = client.get("/en/catalogue.csv?q=dengue&sort=title")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert {row["name"] for row in rows} == {WEEKLY, RECORDS}
    assert [row["grade"] for row in rows if row["name"] == RECORDS] == ["2"]


def test_machine_links_of_the_pages_lead_somewhere(client: TestClient) -> None:
    checked = 0
    for path in ("catalogue?q=dengue&grade=0", f"datasets/{WEEKLY}", f"about/{WEEKLY}/curve", "developers"):
        page = client.get(f"/en/{path}").text
        for address in set(re.findall(r'href="(/(?:api|data|datasets|catalogue|\.well-known)[^"]*)"', page)):
            assert client.get(unescape(address)).status_code == 200, address
            checked += 1
    assert checked >= 15


def test_a_dataset_says_what_it_is(world: World, client: TestClient) -> None:
    page = client.get(f"/en/datasets/{WEEKLY}").text
    release = queries.release(world.node, WEEKLY)
    plain = text_of(page)
    assert release.quality is not None
    assert f"{release.quality.label} quality" in plain
    assert f"{release.rows:,}" in plain
    for file in release.distributions:
        assert file.sha256 in page
    for column in pq.read_schema(queries.release_file(world.node, release, "parquet")).names:
        assert f"<code>{column}</code>" in page
    linked = json.loads(re.search(r'<script type="application/ld\+json">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    assert (linked["@type"], linked["version"]) == ("Dataset", "1")
    assert page.count('rel="alternate" type=') == 2
    assert "</script><" not in page[page.index("ld+json") : page.index("</script>")]


def test_the_reasons_of_a_label_are_those_of_its_assessment(world: World, client: TestClient) -> None:
    from hutong.acquisition import queries as acquisition

    report = acquisition.quality(world.node, "tw-dengue")
    page = client.get(f"/en/datasets/{WEEKLY}").text
    wrong = report.wrong()
    assert wrong
    for result in wrong[:12]:
        assert f"{result.concerned:,} of {result.checked:,}" in page
        assert result.id in page


def test_a_preview_shows_the_rows_that_are_asked_for(world: World, client: TestClient) -> None:
    weeks = sorted({str(row["period_start"]) for row in rows_of(world.node, WEEKLY)})
    asked = {"area": "TW", "from": weeks[1], "to": weeks[3]}
    page = client.get(f"/en/datasets/{WEEKLY}", params=asked).text
    preview = page[page.index('id="preview"') : page.index("About these data")]
    rows = [
        row
        for row in rows_of(world.node, WEEKLY)
        if row["area_code"] == "TW" and weeks[1] <= str(row["period_start"]) <= weeks[3]
    ]
    assert preview.count("<tr>") == len(rows) + 1 == 4
    chinese = client.get(f"/zh/datasets/{WEEKLY}", params=asked).text
    assert "国家 <code class=soft>country</code>" in chinese
    assert "起始日 <code class=soft>period_start</code>" in chinese
    assert preview.count('class="withheld"') == sum(row["value"] is None for row in rows)
    for row in rows:
        assert f"<td>{row['period_start']}</td>" in preview
    # What the standard says in brackets of a level is for its description, not for each row.
    whole = client.get(f"/en/datasets/{WEEKLY}").text
    whole = whole[whole.index('id="preview"') : whole.index("About these data")]
    assert "First division <code class=soft>region1</code>" in whole and "department" not in whole
    headings = re.findall(r"<code class=soft>(\w+)</code></th>", whole)
    assert headings[:6] == ["area_code", "area_name", "period_start", "year_week", "value", "status"]
    assert "<code class=soft>indicator</code>: " in whole[: whole.index("<table")]
    assert "No row of this version fits" in client.get(f"/en/datasets/{WEEKLY}?to=1990-01-01").text


def test_what_is_chosen_holds_for_sentence_curve_table_files_and_examples(world: World, client: TestClient) -> None:
    asked = "area=TW-67&from=2015-08-01&to=2015-08-31"
    rows = [
        row
        for row in rows_of(world.node, WEEKLY)
        if row["area_code"] == "TW-67" and "2015-08-01" <= str(row["period_start"]) <= "2015-08-31"
    ]
    cases = sum(int(str(row["value"])) for row in rows if row["value"] is not None)
    page = client.get(f"/en/datasets/{WEEKLY}?{asked}").text
    assert f"Tainan City: {cases} cases published, " in text_of(page)
    assert "Tainan City: cases by epidemiological week, " in page
    assert f"The newest {len(rows)} of {len(rows)} rows" in page
    newest = max(str(row["period_start"]) for row in rows)
    # The area is said once above the table, so that the week comes first and its figure next.
    preview = page[page.index('id="preview"') :]
    assert preview.split("<td>")[1].startswith(newest)
    assert "<code class=soft>area_code</code>: TW-67" in preview[: preview.index("<table")]
    for file in (f"/data/{WEEKLY}/v1/{WEEKLY}-v1.csv?", f"/about/{WEEKLY}/curve?version=1&amp;", "rows?version=1&amp;"):
        assert f"{file}{asked.replace('&', '&amp;')}" in page
    about = text_of(client.get(f"/en/about/{WEEKLY}/curve?version=1&{asked}").text)
    assert "Tainan City: cases by epidemiological week, " in about


def test_no_page_takes_the_running_week_for_a_whole_one(
    world: World, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = [WeekCount(*one) for one in released_figures.series(world.node, queries.release(world.node, WEEKLY))]
    as_of, words = points[-1].week + timedelta(days=1), translations(ENGLISH)
    known, shown = catalogue.dataset, catalogue.catalogue

    def stated(dataset: Dataset) -> Dataset:
        issued = datetime.combine(as_of, datetime.min.time(), UTC)
        return replace(dataset, releases=tuple(replace(one, as_of=as_of, issued=issued) for one in dataset.releases))

    monkeypatch.setattr(catalogue, "dataset", lambda node, name: stated(known(node, name)))
    monkeypatch.setattr(
        catalogue, "catalogue", lambda node: replace(found := shown(node), datasets=tuple(map(stated, found.datasets)))
    )
    for kept in ("_kept", "_chosen"):
        monkeypatch.setattr(released_figures, kept, Kept(8))
    page, home, about = (
        text_of(client.get(path).text) for path in (f"/en/datasets/{WEEKLY}", "/en/", f"/en/about/{WEEKLY}/curve")
    )
    assert f" cases published, {words.date(points[0].week)} to {words.date(as_of)}" in page
    assert f" weeks to {words.date(as_of)}" in home
    assert "The newest week was not over when this version was published." in about
    for shown_there in (page, home, about):
        assert curve_finding(points[:-1], words) in shown_there and "The last week is incomplete." in shown_there
    assert f" ({words.date(points[0].week)} to {words.date(as_of)}). The last week is incomplete." in page
    assert "; the last week is incomplete" in home
    assert " weeks from " in home and ", the last of them incomplete." in home


@pytest.mark.parametrize("grade", [1, 2, 4])
def test_no_figure_tells_the_counts_that_are_not_open(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, grade: int
) -> None:
    pages = [f"/en/about/{WEEKLY}/curve{asked}" for asked in ("", "?area=TW-67&from=2015-08-01&to=2015-08-31")]
    pages += [f"/en/about/{WEEKLY}/{figure}" for figure in ("recent", "map", "areas")]
    assert [client.get(path).status_code for path in pages] == [200] * len(pages)
    known = catalogue.dataset
    monkeypatch.setattr(
        catalogue,
        "dataset",
        lambda node, name: replace(known(node, name), grade=grade, access_rights=ACCESS_RIGHTS[grade]),
    )
    assert [client.get(path).status_code for path in pages] == [404] * len(pages)


def test_a_label_keeps_its_reasons_when_its_source_is_assessed_again(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = acquisition.assessments

    def with_a_later_one(*given: Any, **more: Any) -> list[Any]:
        found = known(*given, **more)
        return [replace(found[0], label="poor", score=0.1), *found] if found else []

    before = client.get(f"/en/datasets/{WEEKLY}").text
    monkeypatch.setattr(acquisition, "assessments", with_a_later_one)
    assert 'id="quality"' in before
    assert client.get(f"/en/datasets/{WEEKLY}").text == before
    assert known(client.app.state.node, "tw-dengue", until=datetime(2020, 1, 1, tzinfo=UTC)) == []  # type: ignore[attr-defined]


def test_registered_data_are_for_who_is_signed_in(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for of in (queries, catalogue):

        def registered(node: Node, name: str, known: Any = of.dataset) -> Any:
            return replace(known(node, name), grade=1, access_rights=ACCESS_RIGHTS[1])

        monkeypatch.setattr(of, "dataset", registered)
    app, file = create_app(world.node), f"/data/{WEEKLY}/v1/{WEEKLY}-v1.csv"
    browser = TestClient(app, base_url="http://node.test")
    refused = browser.get(file)
    assert (refused.status_code, refused.json()["policies"]) == (403, ["sign-in-needed"])
    page = browser.get(f"/en/datasets/{WEEKLY}").text
    assert f'href="{file}"' not in page and f"/en/sign-in?next=/en/datasets/{WEEKLY}" in page
    partner = Actor(id="pat", kind="account", roles=frozenset({"partner"}), represents="pe")
    later = datetime.now(UTC) + timedelta(hours=1)
    app.dependency_overrides[get_session] = lambda: Session("secret", "csrf", partner, "Pat", later)
    assert browser.get(file).headers["cache-control"] == "private, no-store"
    assert f'href="{file}"' in browser.get(f"/en/datasets/{WEEKLY}").text


def test_choices_lead_on_and_back(client: TestClient) -> None:
    page = client.get(f"/en/datasets/{WEEKLY}?from=2015-01-01&to=2015-12-31").text
    ways = page[page.index('class="choices"') : page.index('id="preview"')]
    inside = re.findall(r'href="([^"]*)" rel="nofollow">Tainan City', ways)
    assert [unescape(way) for way in inside] == ["?from=2015-01-01&to=2015-12-31&area=TW-67#rows"]
    # The year that holds is marked, and leads back to all years.
    assert re.findall(r'href="([^"]*)" rel="nofollow" aria-current="true">2015', ways) == ["?#rows"]
    deeper = client.get(f"/en/datasets/{WEEKLY}{unescape(inside[0])}").text
    assert "North Dist." in deeper[deeper.index('class="choices"') : deeper.index('id="preview"')]
    assert 'aria-label="Filters in force"' in deeper
    # Python reads more forms of ISO 8601 than the files' addresses, which would then be refused.
    for other in ("yesterday", "20150719", "2015-W30-1"):
        assert client.get(f"/en/datasets/{WEEKLY}?from={other}").status_code == 422


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ("area=TW-68", 404, "There is no area TW-68 in this release. The nearest code is TW-67."),
        ("from=2015-08-01&to=2015-07-01", 422, "The first day is after the last. Change one of the days."),
        ("from=20150719", 422, "That is not a day."),
    ],
)
def test_a_choice_that_is_none_is_told_beside_the_form(client: TestClient, asked: str, status: int, said: str) -> None:
    answer = client.get(f"/en/datasets/{WEEKLY}?{asked}")
    page = answer.text
    assert (answer.status_code, said in text_of(page)) == (status, True)
    assert page.index('role="alert"') < page.index('name="area"')
    assert "curl" not in page and 'id="preview"' not in page and 'class="figure' not in page
    assert "There is no area" not in client.get(f"/zh/datasets/{WEEKLY}?{asked}").text


@pytest.mark.parametrize(
    ("language", "said", "code"),
    [
        ("en", "The address of this page gives 'page' a value that it can't have.", "tell us this name: bad-input"),
        ("zh", "本页地址中 'page' 的值无效。", "请把此名称告诉我们：bad-input"),
    ],
)
def test_a_wrong_query_is_told_in_one_sentence(client: TestClient, language: str, said: str, code: str) -> None:
    for wrong in ("zzz", "0", "1e3"):
        answer = client.get(f"/{language}/catalogue?page={wrong}")
        told = text_of(answer.text)
        assert (answer.status_code, said in told, code in told) == (422, True, True)
        assert "integer" not in told


@pytest.mark.parametrize(
    ("language", "headline", "by"),
    [("en", "This is not open to visitors", "Refused by:"), ("zh", "访客无权进行此操作", "拒绝依据：")],
)
def test_a_visitor_is_told_whose_refusal_it_is_and_how_to_sign_in(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, language: str, headline: str, by: str
) -> None:
    registered = Resource("Release", "r", {"grade": 1})
    monkeypatch.setattr(catalogue, "catalogue", lambda node: node.require(PUBLIC, "download", registered))
    answer = client.get(f"/{language}/catalogue?q=a")
    assert answer.status_code == 403
    assert f"<h1>{headline}</h1>" in answer.text
    assert f"{by} <code>sign-in-needed</code>" in " ".join(answer.text.split())
    assert f'<ul><li><a href="/{language}/sign-in?next=/{language}/catalogue%3Fq%3Da">' in answer.text.replace("\n", "")
    assert 'lang="en"' not in answer.text[answer.text.index("<h1>") : answer.text.index("</main>")]


def test_what_no_policy_decided_is_not_said_to_be_the_accounts(client: TestClient) -> None:
    forged = client.post("/en/sign-in", data={"name": "a", "password": "b", "form": "c"})
    assert forged.status_code == 403
    assert "<h1>This was refused</h1>" in forged.text
    assert "Refused by" not in forged.text


def test_areas_have_their_chinese_name_where_the_source_gives_one(client: TestClient) -> None:
    assert re.search(r"[市县]受影响最重", text_of(client.get("/zh/").text))
    assert "Tainan City" not in text_of(client.get("/zh/").text)


def test_only_a_latin_name_in_a_chinese_heading_has_its_space() -> None:
    words = translations(CHINESE)
    assert [words.before_words(name) for name in ("Mill Dist.", "东区")] == ["Mill Dist. ", "东区"]


def test_a_grade_is_called_one(client: TestClient) -> None:
    assert "Grade 0 · Open" in text_of(client.get(f"/en/datasets/{WEEKLY}").text)
    assert "0 级 · 开放" in text_of(client.get("/zh/catalogue").text)
    assert client.get("/en/catalogue?grade=9").status_code == 422
    assert client.get("/api/search?grade=9").status_code == 422


def test_what_an_agreement_hands_out_is_under_no_licence_for_everyone(client: TestClient) -> None:
    for kind in ("ttl", "jsonld"):
        assert "license" in client.get(f"/datasets/{WEEKLY}.{kind}").text
        told = client.get(f"/datasets/{RECORDS}.{kind}").text
        assert "NON_PUBLIC" in told and "/licence/" not in told
    page = client.get(f"/en/datasets/{RECORDS}").text
    assert '"license"' not in page
    assert "Licence By agreement Licence of the source list CC0 1.0" in text_of(page)
    [records] = [one for one in client.get("/api/opening/datasets").json() if one["id"] == RECORDS]
    assert records["licence"] == ""


def test_names_that_no_source_gives_in_chinese_are_not_invented(client: TestClient) -> None:
    note = "来源未提供中文名称"
    assert note in client.get(f"/zh/datasets/{WEEKLY}").text
    assert "as it writes them" not in client.get(f"/en/datasets/{WEEKLY}").text


def test_the_api_example_gives_the_rows_of_the_filters(client: TestClient) -> None:
    page = client.get(f"/en/datasets/{WEEKLY}?area=TW-67&from=2015-07-19").text
    code = unescape(re.search(r"<pre[^>]*><code>(curl .*?)</code>", page, re.DOTALL)[1])  # type: ignore[index]
    url = httpx.URL(shlex.split(code)[-1])
    answer = client.get(url.raw_path.decode())
    assert answer.status_code == 200
    assert {row["area_code"] for row in answer.json()["rows"]} == {"TW-67"}
    python = unescape(re.search(r"<code>(import httpx.*?)</code>", page, re.DOTALL)[1])  # type: ignore[index]
    assert str(url) in python
    compile(python, "example", "exec")


def test_rows_that_are_not_open_are_not_shown_but_can_be_asked_for(client: TestClient) -> None:
    page = client.get(f"/en/datasets/{RECORDS}").text
    assert "not open to everyone" in page
    assert f'href="/en/requests/new?dataset={RECORDS}"' in page
    assert "/data/" not in page
    assert "70+" not in page


def test_a_number_leads_to_its_proof_in_the_log(world: World, client: TestClient) -> None:
    from hutong.trust.log import merkle

    page = client.get(f"/en/about/{WEEKLY}/curve").text
    address = re.search(r'href="(/api/log/entries/\d+/proof)"', page)
    assert address is not None
    proof = client.get(address[1]).json()
    release = queries.release(world.node, WEEKLY)
    assert proof["entry"]["kind"] == "release.published"
    assert proof["entry"]["sha256"] == release.sha256
    assert release.sha256 in page
    assert parse_verifier_key(proof["verifier_key"]).name == world.node.log.key.name
    assert merkle.HASH_BYTES == 32


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("datasets/none", 404),
        ("datasets/UPPER", 404),
        (f"datasets/{WEEKLY}?version=9", 404),
        (f"datasets/{WEEKLY}?version={'x' * 80}", 422),
        (f"datasets/{WEEKLY}?from=yesterday", 422),
        (f"datasets/{RECORDS}?area=TW", 200),
        ("catalogue?page=0", 422),
        ("catalogue?page=many", 422),
        ("catalogue?sort=price", 422),
        (f"catalogue?q={'a' * 501}", 422),
        (f"about/{WEEKLY}/nothing", 404),
        (f"about/{RECORDS}/curve", 404),
        (f"about/{WEEKLY}/joint", 404),
        ("about/none/curve", 404),
        ("catalogue?grade=%00&format=%27", 422),
    ],
)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_nonsense_gets_a_page_that_says_so(client: TestClient, language: str, path: str, status: int) -> None:
    answer = client.get(f"/{language}/{path}")
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert f"/{language}/catalogue" in answer.text
    assert "Traceback" not in answer.text


def test_what_is_asked_for_stays_text(client: TestClient) -> None:
    page = client.get("/en/catalogue", params={"q": '"><script>alert(1)</script>'}).text
    assert "<script>" not in page
    page = client.get(f"/en/datasets/{WEEKLY}", params={"area": "<b>'\"</b>"}).text
    assert "<b>'" not in page


def test_an_empty_node_says_how_to_begin(new_node: NewNode) -> None:
    for name, territory, command in (("tw", "TW", "hutong acquire"), ("hub", "*", "hutong harvest")):
        node = new_node(name, territory=territory)
        with TestClient(create_app(node)) as client:
            for language in ("en", "zh"):
                page = client.get(f"/{language}/").text
                assert command in page
                assert all(
                    offered(line) for line in re.findall(r"^(?:<pre.*<code>)?(hutong [^<\n]*)", page, re.MULTILINE)
                )
                assert client.get(f"/{language}/catalogue").status_code == 200


def test_home_is_found_without_its_slash(client: TestClient) -> None:
    answer = client.get("/zh")
    assert (answer.status_code, answer.headers["location"]) == (308, "/zh/")


def test_figures_are_drawn_once(world: World, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    client.get("/en/")

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("drawn again")

    monkeypatch.setattr(released_figures, "_draw", fail)
    assert client.get("/en/").status_code == 200
