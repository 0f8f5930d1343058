"""Every component on sample pages in both languages, for eyes and for the accessibility check.

``python -m tests.web.gallery FOLDER`` writes pages and pictures there. The sample data are invented, but have the
shape of the real ones; nothing of the product reads them.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from types import SimpleNamespace as Sample
from typing import Any
from urllib.parse import urlsplit

import h3
import segno
from jinja2 import ChoiceLoader, FileSystemLoader
from markupsafe import Markup
from playwright.sync_api import Browser, Page, Route, sync_playwright

from hutong.web.charts import Basis, MatrixCell, bars, epidemic_curve, hexagon_map, matrix
from hutong.web.findings import Bar, HexagonValue, WeekCount
from hutong.web.hexagons import MapLabel
from hutong.web.i18n import ENGLISH, LANGUAGES, Language, translations
from hutong.web.rendering import STATIC_DIR, environment
from tests.chromium import FLAGS, SHELL

PAGES = Path(__file__).parent / "pages"
LOOKS = [("zh", 1280, "light"), ("en", 1280, "dark"), ("en", 390, "light")]
"""Language, width and scheme in which axe looks at pages: colours depend on scheme and width and not on the words, and
the longer words, which may not fit a phone, are the English ones."""
ORIGIN = "http://node.test"
AS_OF = datetime(2026, 1, 2, 6, 30, tzinfo=UTC)


def figures(language: Language, say: Callable[[str, str], str]) -> dict[str, Any]:
    """One of each kind of figure."""
    words = translations(language)
    random = Random(7)
    basis = Basis(say("Taiwan CDC line list, release 2", "台湾疾管署病例清单，第 2 版"), AS_OF, 10)
    weeks = [
        WeekCount(
            date(2015, 1, 5) + timedelta(weeks=week),
            None if week < 17 and random.random() < 0.5 else round(12 + 3400 * math.exp(-(((week - 37) / 5) ** 2))),
        )
        for week in range(42)
    ]
    history = [
        WeekCount(
            date(1998, 1, 5) + timedelta(weeks=week),
            None if random.random() < 0.4 else round(10 + 900 * max(0.0, math.sin(week / 8.3)) ** 9 * random.random()),
        )
        for week in range(1404)
    ]
    middle = h3.latlng_to_cell(22.95, 120.22, 7)
    cells = []
    for cell in sorted(h3.grid_disk(middle, 9)):
        away = h3.grid_distance(cell, middle)
        rate = 620 * math.exp(-((away / 3.4) ** 2)) * (0.4 + random.random())
        if random.random() < 0.88:
            value = None if rate < 12 and random.random() < 0.6 else round(rate, 1)
            cells.append(HexagonValue(cell, value, None if value is None else round(value * 2)))
    rates = say("Cases per 100,000", "每十万人病例数")
    parties = [say("Taiwan", "台湾"), say("Peru", "秘鲁"), say("Hub", "枢纽")]
    answers = ["accepted", "refused", "accepted", "unknown", "accepted", "accepted", "accepted", "unknown", "accepted"]
    pairs = [(row, column) for row in parties for column in parties]
    town = [("Yongkang", "永康区", 5012), ("North", "北区", 3390), ("South", "南区", 2101), ("Annan", "安南区", 880)]
    return {
        "curve": epidemic_curve(
            weeks,
            description=say(
                "Cases by week of onset, Tainan and Kaohsiung, 2015", "按发病周统计的病例，台南与高雄，2015 年"
            ),
            basis=basis,
            words=words,
        ),
        "long": epidemic_curve(
            history,
            description=say("Cases by week of onset, 1998 to 2024", "按发病周统计的病例，1998 至 2024 年"),
            basis=basis,
            words=words,
        ),
        "hexagons": hexagon_map(
            cells,
            description=say(
                "Incidence by cell of 5 km², weeks 20 to 48 of 2015", "各 5 平方公里网格的发病率，2015 年第 20–48 周"
            ),
            unit=rates,
            basis=basis,
            words=words,
            labels=[MapLabel(say("Tainan", "台南"), 22.99, 120.2), MapLabel(say("Kaohsiung", "高雄"), 22.72, 120.3)],
        ),
        "areas": bars(
            [
                *(Bar(say(english, chinese), count) for english, chinese, count in town),
                Bar(say("Beimen", "北门区"), None),
            ],
            description=say("Cases by township of residence, 2015", "按居住乡镇统计的病例，2015 年"),
            heading=say("Township", "乡镇"),
            unit=say("Cases", "病例数"),
            basis=basis,
            words=words,
        ),
        "recognition": matrix(
            [MatrixCell(row, column, kind) for (row, column), kind in zip(pairs, answers, strict=True)],
            title=say("Peru does not know two of three issuers", "秘鲁不认识三个签发方中的两个"),
            description=say(
                "How a verifier (row) answers a low-level pass of an issuer (column)",
                "查验方（行）对签发方（列）低等级凭证的答复",
            ),
            row_heading=say("Verifier", "查验方"),
            basis=basis,
            words=words,
        ),
    }


def lists(say: Callable[[str, str], str]) -> dict[str, Any]:
    """Sample rows of the list components."""
    steward, partner = say("Tainan steward", "台南管理方"), say("Peru CDC", "秘鲁疾控中心")
    states = [
        (say("Request sent", "申请已发送"), partner, "approved", datetime(2026, 1, 2, 9, 0, tzinfo=UTC), None),
        (say("Decide about the request", "就申请作出决定"), steward, "submitted", None, date(2026, 1, 9)),
        (say("Sign the agreement", "签署协议"), say("both nodes", "双方节点"), "draft", None, date(2026, 1, 12)),
    ]
    facet = [(say("Open to all", "向所有人开放"), 12, True), (say("By agreement", "凭协议"), 4, False)]
    regions = [(say("Taiwan", "台湾"), 9, False), (say("Peru", "秘鲁"), 7, False)]
    titles = [
        (say("Weekly dengue cases by township", "各乡镇每周登革热病例"), "good"),
        (say("Weekly dengue cases by district, Peru", "秘鲁各区每周登革热病例"), "fair"),
        (say("Line list of dengue cases, k-anonymous", "登革热病例清单（k-匿名）"), "poor"),
    ]
    return {
        "tasks": [
            Sample(title=title, href="#", detail=None, who=who, state=state, done_at=done, due=due, note=None)
            for title, who, state, done, due in states
        ],
        "groups": [
            Sample(label=label, choices=[Sample(label=a, count=n, href="#", active=on) for a, n, on in values])
            for label, values in ((say("Access", "获取方式"), facet), (say("Region", "地区"), regions))
        ],
        "hits": [
            Sample(
                title=title,
                href="#",
                summary=say(
                    "Cases by week of onset and area of residence; small numbers withheld.",
                    "按发病周和居住地统计的病例；较小的数字未公布。",
                ),
                publisher=say("Tainan Health Bureau", "台南卫生局"),
                issued=date(2026, 1, 2),
                quality=quality,
                formats=("CSV", "JSON", "Parquet"),
                grade=None,
            )
            for title, quality in titles
        ],
        "preview_columns": [
            Sample(label=say("Week", "周"), numeric=False),
            Sample(label=say("Township", "乡镇"), numeric=False),
            Sample(label=say("Cases", "病例数"), numeric=True),
        ],
        "preview_rows": [
            ["2015-09-07", say("Yongkang", "永康区"), "512"],
            ["2015-09-14", say("Beimen", "北门区"), None],
        ],
        "version_columns": [
            Sample(label=say("Version", "版本"), numeric=False),
            Sample(label=say("Published", "发布日期"), numeric=False),
            Sample(label=say("State", "状态"), numeric=False),
        ],
        "version_rows": [["3", "2026-01-02", Markup("<a href='#'>current</a>")], ["2", "2025-12-20", "superseded"]],
    }


def context(language: Language) -> dict[str, Any]:
    """Everything that the sample pages show."""

    def say(english: str, chinese: str) -> str:
        return english if language is ENGLISH else chinese

    home, catalogue = say("Situation", "疫情"), say("Catalogue", "目录")
    qr = segno.make("HC1:" + "6BFOXN*TS0BI$ZD.P9UOL97O4-2HH77HRM3DSPTRPUVLO4K" * 5, error="m")
    return {
        "say": say,
        "node": Sample(
            name=say("Tainan health data node", "台南健康数据节点"),
            organisation=say("Tainan City Health Bureau", "台南市卫生局"),
        ),
        "emergency": Sample(
            name=say("Dengue outbreak 2015", "2015 年登革热疫情"),
            declared=date(2015, 8, 3),
            review=date(2015, 11, 3),
            sunset=date(2016, 2, 3),
            href="#",
        ),
        "navigation": [
            (f"/{language.code}/home", home, True),
            ("#", catalogue, False),
            ("#", say("Requests", "申请"), False),
            ("#", say("Passes", "凭证"), False),
            ("#", say("Log", "日志"), False),
        ],
        "user": None,
        "sign_in": "#",
        "csrf": "token",
        "checkpoint": Sample(size=1204, root="9f2c44d1aa03be7751c0", at=AS_OF, href="#"),
        "version": "0.1.0",
        "feedback": "#",
        "errors": {
            "purpose": say("Say what you will use the data for.", "请说明数据用途。"),
            "fields": say("Choose at least two fields.", "请至少选择两个字段。"),
        },
        "pass": Sample(
            level="low",
            level_text=None,
            issuer=say("Tainan health data node", "台南健康数据节点"),
            valid_from=AS_OF,
            valid_until=AS_OF + timedelta(days=2),
            emergency=say("Dengue outbreak 2015", "2015 年登革热疫情"),
            reasons=[say("No stay in a risk area in the last 14 days (R1)", "近 14 天未到过风险区（R1）")],
            qr=qr.svg_inline(border=0, omitsize=True),
        ),
        "receipt_of": Sample(
            id="rcp-01JH2Z6",
            file="dengue_2015.csv",
            received=AS_OF,
            accepted=99829,
            held=7288,
            rejected=12,
            findings=[
                Sample(
                    reason=say("Notified before onset", "报告日期早于发病日期"),
                    rows=12,
                    remedy=say("Check both dates at the source", "在来源处核对两个日期"),
                    rule="case.notified-after-onset",
                )
            ],
        ),
        "status": 404,
        "code": "not-found",
        "headline": say("There is no such page", "没有这个页面"),
        "what": say("The address names nothing on this node.", "该地址在本节点上没有对应内容。"),
        "do": say("Check the address, or search the catalogue.", "请检查地址，或搜索目录。"),
        **figures(language, say),
        **lists(say),
    }


def rendered() -> dict[str, str]:
    """Path -> page, for every sample page in every language."""
    pages = {}
    for language in LANGUAGES:
        templates = environment(language).overlay()
        product = templates.loader
        assert product is not None
        # The samples first: the product has pages of the same names.
        templates.loader = ChoiceLoader([FileSystemLoader(PAGES), product])
        sample = context(language)
        for name in [*sorted(page.name for page in PAGES.glob("*.html")), "error.html"]:
            path = f"/{language.code}/{name.removesuffix('.html')}"
            pages[path] = templates.get_template(name).render(path=path, **sample)
    return pages


@contextmanager
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=SHELL, args=list(FLAGS))
        yield chromium
        chromium.close()


def open_page(chromium: Browser, pages: dict[str, str], width: int = 1280, **options: Any) -> Page:
    """A tab that sees the sample pages at ORIGIN, and nothing else."""

    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path in pages:
            route.fulfill(body=pages[path], content_type="text/html; charset=utf-8")
        elif path.startswith("/static/"):
            route.fulfill(path=STATIC_DIR / Path(path).name)
        else:
            route.abort()

    page = chromium.new_context(
        **{"viewport": {"width": width, "height": 900}, "reduced_motion": "reduce", **options}
    ).new_page()
    page.route("**/*", answer)
    return page


def main(folder: Path) -> None:
    """Write the pages, and their pictures at desktop and phone width, without JavaScript."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = rendered()
    with browser() as chromium:
        for kind, width in (("desktop", 1280), ("phone", 390)):
            page = open_page(chromium, pages, width, java_script_enabled=False)
            for path in pages:
                page.goto(ORIGIN + path)
                page.screenshot(path=folder / f"{path.strip('/').replace('/', '-')}-{kind}.png", full_page=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
