"""A pass on paper and in a wallet: it can be scanned from the page, and there is no name on it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
import vl_convert
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from hutong.passes.credential.level_pass import LevelPass, issue
from hutong.passes.credential.read import read_pass
from hutong.passes.documents import Reason
from hutong.passes.issuance import printable
from hutong.passes.issuance.actions import IssuedPass

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
ISSUER = {"en": "Tainan <data> & node", "zh": "台南健康数据节点"}


@pytest.fixture(scope="module")
def issued() -> IssuedPass:
    claims = LevelPass(
        *("tw", NOW, NOW + timedelta(hours=24), "medium", "dengue-3", "1.0.0", b"12345678", 77, bytes(12))
    )
    return IssuedPass(
        pass_id=claims.pass_id.hex(),
        text=issue(claims, generate_private_key(SECP256R1()), b"abcdefgh"),
        holder_secret="very-secret",
        level="medium",
        severity=1,
        meaning={"en": "Watch for fever.", "zh": "请留意发热症状。"},
        reasons=(
            Reason("stay-high-area", {"en": "You stayed in an area of high risk.", "zh": "您到访过高风险地区。"}),
        ),
        evidence_dates=(("stay_risk_max_14d", "2026-02-25"),),
        rulebook="dengue-3",
        version="1.0.0",
        emergency="dengue",
        issued_at=NOW,
        expires_at=NOW + timedelta(hours=24),
        status_index=77,
    )


def words(svg: str) -> list[str]:
    """The texts of the page, as a parser reads them."""
    found = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    return [element.text or "" for element in found]


def test_the_code_is_scanned_from_the_page(issued: IssuedPass) -> None:
    svg = printable.page_svg(issued, issuer=ISSUER, chinese=False)
    read = read_pass(bytes(vl_convert.svg_to_png(svg, scale=2)))
    assert read.claims is not None
    assert read.claims.pass_id == bytes.fromhex(issued.pass_id)


@pytest.mark.parametrize("chinese", [True, False])
def test_what_is_on_the_page(issued: IssuedPass, chinese: bool) -> None:
    found = words(printable.page_svg(issued, issuer=ISSUER, chinese=chinese))
    said = "\n".join(found)
    for expected in ("medium", "2026-03-02 08:00 UTC", "[stay-high-area]", "2026-02-25", "Tainan <data> & node"):
        assert expected in said
    assert ("您到访过高风险地区。" in said, "健康通行凭证" in said) == (chinese, chinese)
    assert issued.holder_secret not in said
    # The lines of the code's text join to the very same text.
    code = [line for line in found if line and line in issued.text]
    assert "".join(code) == issued.text


def test_the_pdf_is_one_page(issued: IssuedPass) -> None:
    printed = printable.print_pass(issued, issuer=ISSUER)
    assert printed.pdf.startswith(b"%PDF-")
    assert printed.pdf.count(b"/Type /Page\n") + printed.pdf.count(b"/Type /Page/") <= 1
    assert printed.chinese is printable.can_draw_chinese()
    assert len(printed.pdf) < 200_000


@pytest.mark.parametrize(
    ("level", "severity", "mark"),
    [("high", 0, "high"), ("low", 2, "low"), ("green", 0, "low"), ("yellow", 1, "guarded"), ("purple", 9, "high")],
)
def test_a_level_is_a_shape_beside_its_word(issued: IssuedPass, level: str, severity: int, mark: str) -> None:
    assert printable.mark_of(replace(issued, level=level, severity=severity)) == mark


def test_long_reasons_stay_on_the_page(issued: IssuedPass) -> None:
    long = Reason("long", {"en": "A long sentence about the facts. " * 60, "zh": "很长的一句话。" * 120})
    svg = printable.page_svg(replace(issued, reasons=(long,) * 5), issuer=ISSUER, chinese=True)
    heights = [float(e.get("y", 0)) for e in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert max(heights) < printable.HEIGHT - 30


def test_the_wallet_text_is_short_and_holds_the_code(issued: IssuedPass) -> None:
    text = printable.wallet_text(issued, issuer=ISSUER)
    assert issued.text in text.splitlines()
    assert "▲ medium · 中" in text
    assert issued.holder_secret not in text
    assert len(text.splitlines()) == 5
