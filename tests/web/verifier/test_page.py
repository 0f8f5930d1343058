"""The verifier in a real Chromium: as a person at a gate uses it, with and without a network."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import segno
from PIL import Image, ImageFilter, ImageOps
from playwright.sync_api import Browser, Page, expect

from hutong.passes.credential import cbor, cose, hcert
from hutong.passes.credential.level_pass import Fact, digests_of, disclose
from hutong.web.portal import verifier
from tests.web.verifier import world
from tests.web.verifier.world import Site

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]
POLL_MS = 21_000
"""A little more than the page waits between two questions for its trust list."""


def paste(page: Page, text: str) -> str:
    """Check a pasted text; what the page answers."""
    if page.locator("#next").is_visible():
        page.locator("#next").click()
    if not page.locator("#text").is_visible():
        page.locator("summary").click()
    page.locator("#text").fill(text)
    page.locator("#paste button").click()
    return answered(page)


def answered(page: Page) -> str:
    page.locator("#verifier[data-state=answer]").wait_for()
    return page.locator("#answer").get_attribute("data-answer") or ""


def reasons(page: Page) -> list[str]:
    found: list[str] = page.eval_on_selector_all("#answer .why li", "items => items.map(item => item.dataset.rule)")
    return found


def kept_offline(page: Page) -> None:
    page.locator("#verifier[data-kept]").wait_for()
    page.wait_for_function("Boolean(navigator.serviceWorker.controller)")
    page.wait_for_function(
        """async () => (await navigator.serviceWorker.getRegistrations())
        .filter((one) => one.active?.state === 'activated' && !one.installing).length === 2"""
    )


WORDS = {
    ("en", "accepted"): "Accepted",
    ("en", "refused"): "Refused",
    ("en", "unknown"): "Unknown",
    ("zh", "accepted"): "通过",
    ("zh", "refused"): "不通过",
    ("zh", "unknown"): "无法判断",
}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_answer_is_a_word_a_shape_and_a_colour_with_its_reasons(
    site: Site, open_page: OpenPage, language: str
) -> None:
    page = open_page(language)
    region = site.regions["tw"]
    passes = {
        "accepted": (region.issue(site.now), ["public-level"], "is-low"),
        "refused": (region.issue(site.now, level="high"), ["public-level"], "is-high"),
        "unknown": (world.make_region("tw", site.now).issue(site.now), ["no-key"], "is-unknown"),
    }
    colours, shapes = set(), set()
    for wanted, (text, rules, tone) in passes.items():
        assert paste(page, text) == wanted
        answer = page.locator("#answer")
        assert answer.locator("h2").inner_text() == WORDS[language, wanted]
        assert reasons(page) == rules
        assert tone in (answer.get_attribute("class") or "")
        assert answer.bounding_box()["width"] > 330  # type: ignore[index]
        colours.add(answer.evaluate("node => getComputedStyle(node).backgroundColor"))
        shapes.add(answer.locator("svg .shape").get_attribute("d"))
        rule = page.locator("#answer .why li").inner_text()
        assert rule.isascii() == (language == "en")
        assert answer.locator("dt").last.inner_text() == ("Trust list" if language == "en" else "信任清单")
    assert len(colours) == len(shapes) == 3
    assert page.locator("#text").input_value() == ""


def test_what_an_unsigned_pass_says_is_not_shown_as_known(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    assert paste(page, world.make_region("tw", site.now).issue(site.now)) == "unknown"
    shown = page.locator("#answer dt").all_inner_texts()
    assert shown == ["Scene", "Kind", "Says it is from", "Trust list"]


@pytest.mark.parametrize(
    ("language", "named", "reason"),
    [
        ("en", ["EU Digital COVID Certificate", "SMART Health Card"], "No rule here says"),
        ("zh", ["欧盟数字新冠证书", "SMART 健康卡"], "本地没有规则说明"),
    ],
)
def test_a_certificate_of_another_system_is_unknown_and_named(
    site: Site, open_page: OpenPage, language: str, named: list[str], reason: str
) -> None:
    """What a traveller shows: the page says what it is and where it can be read, in word, shape and colour."""
    page = open_page(language)
    dcc = hcert.pack(
        cose.Signer(site.regions["tw"].key, b"stranger").sign(
            cbor.dumps(
                {1: "AT", 4: int(site.now.timestamp()) + 9, -260: {1: {"ver": "1.3.0", "nam": {"fn": "Muster"}}}}
            )
        )
    )
    card = "shc:/" + "".join(f"{ord(sign) - 45:02}" for sign in "eyJhbGciOiJFUzI1NiJ9.3ZJNb9swDIb_im.K9m")
    for text, kind in zip((dcc, card), named, strict=True):
        assert paste(page, text) == "unknown"
        assert reasons(page) == ["kind-not-recognised"]
        answer = page.locator("#answer")
        assert answer.locator("h2").inner_text() == WORDS[language, "unknown"]
        assert "is-unknown" in (answer.get_attribute("class") or "")
        assert answer.locator("dd").nth(1).inner_text() == kind
        told = answer.locator(".why li").inner_text()
        assert told.startswith(reason) and "kind-not-recognised" in told
        assert "Muster" not in answer.inner_text()


@pytest.mark.parametrize(("language", "named"), [("en", "Result of the newest test"), ("zh", "最近一次检测的结果")])
def test_a_fact_that_the_holder_shows_is_shown_and_no_other(
    site: Site, open_page: OpenPage, language: str, named: str
) -> None:
    page = open_page(language)
    facts = [Fact("test-result", "negative", bytes(range(16))), Fact("of-another-system", "x", bytes(range(1, 17)))]
    text = site.regions["tw"].issue(site.now, digests=digests_of(facts))
    for shown, names in (
        (text, []),
        (disclose(text, facts[:1]), [named]),
        (disclose(text, facts[1:]), [facts[1].name]),
    ):
        assert paste(page, shown) == "accepted"
        assert page.locator("#answer dt").all_inner_texts()[6:] == names
    forged = world.make_region("tw", site.now).issue(site.now, digests=digests_of(facts))
    assert paste(page, disclose(forged, facts)) == "unknown"
    assert named not in page.locator("#answer").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_the_page_reflows(site: Site, open_page: OpenPage, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = open_page("zh", color_scheme=scheme)
    region = site.regions["tw"]
    passes = [region.issue(site.now), region.issue(site.now, level="high"), "no pass"]
    states = [None, *passes]
    for text in states:
        if text is not None:
            paste(page, text)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_the_scene_decides_and_can_be_changed_under_the_answer(site: Site, open_page: OpenPage) -> None:
    page = open_page(query="?scene=school")
    assert page.locator("#scene").input_value() == "school"
    assert paste(page, site.regions["pe"].issue(site.now, level="high")) == "refused"
    page.locator("#scene").select_option("medical")
    expect(page.locator("#answer")).to_have_attribute("data-answer", "accepted")
    page.goto(f"{site.origin}/zh/scan")
    assert page.locator("#scene").input_value() == "medical"


def test_the_node_is_asked_for_nothing_but_its_trust_list(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    kept_offline(page)
    elsewhere: list[str] = []
    page.context.on("request", lambda request: elsewhere.append(request.url))
    before = len(site.asked)
    for level in ("low", "high"):
        paste(page, site.regions["tw"].issue(site.now, level=level))
    paste(page, world.make_region("tw", site.now).issue(site.now))
    page.locator("#next").click()
    page.locator("#picture").set_input_files(picture_file(site.regions["tw"].issue(site.now)))
    assert answered(page) == "accepted"
    page.locator("#refresh").click()
    expect(page.locator("#trust")).to_have_attribute("data-trust", "fresh")
    page.wait_for_timeout(300)
    assert set(site.asked[before:]) == {verifier.BUNDLE}
    assert {re.sub(r"\?lists_since=[\d.:TZ-]+$", "", one) for one in elsewhere} == {site.origin + verifier.BUNDLE}
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert "HC1" not in kept


def picture_file(text: str) -> Any:
    return {"name": "code.png", "mimeType": "image/png", "buffer": world.picture(text)}


def test_it_opens_and_answers_without_a_network(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    kept_offline(page)
    good, revoked = site.regions["pe"].issue(site.now), site.regions["pe"].issue(site.now, status_index=100)
    page.context.set_offline(True)
    page.reload()
    page.locator("#verifier[data-ready]").wait_for()
    expect(page.locator("#trust")).to_have_attribute("data-trust", "fresh")
    assert paste(page, good) == "accepted"
    assert paste(page, revoked) == "refused"
    assert reasons(page) == ["revoked"]
    page.locator(".top a[hreflang]").click()
    page.locator("#verifier[data-ready]").wait_for()
    assert page.locator("html").get_attribute("lang") == "zh-Hans"
    assert paste(page, good) == "accepted"
    assert page.locator("#answer h2").inner_text() == "通过"


def test_without_a_network_from_the_start_nothing_is_accepted(site: Site, open_page: OpenPage) -> None:
    """The page came, its trust list did not."""
    site.signed = "no bundle at all"
    page = open_page()
    expect(page.locator("#trust")).to_have_attribute("data-trust", "none")
    assert paste(page, site.regions["tw"].issue(site.now)) == "unknown"
    assert reasons(page) == ["list-not-trusted"]


def test_past_the_greatest_age_every_answer_is_unknown_and_the_age_is_shown(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    kept_offline(page)
    page.context.set_offline(True)
    text = site.regions["tw"].issue(site.now, expires_at=(site.now + timedelta(days=9)).replace(microsecond=0))
    for hours, state, answer, age in ((2, "due", "accepted", "2 hours ago"), (30, "old", "unknown", "1 day ago")):
        page.clock.set_fixed_time(site.now + timedelta(hours=hours, minutes=1))
        page.reload()
        page.locator("#verifier[data-ready]").wait_for()
        expect(page.locator("#trust")).to_have_attribute("data-trust", state)
        assert age in page.locator("#trust").inner_text()
        assert paste(page, text) == answer
    assert reasons(page) == ["list-too-old"]


def open_with_clock(site: Site, open_page: OpenPage) -> Page:
    """The page with a clock that the test moves: its poll runs when the clock says so."""
    page = open_page()
    page.clock.install(time=site.now + timedelta(seconds=1))
    page.reload()
    page.locator("#verifier[data-ready]").wait_for()
    return page


def test_a_revocation_reaches_the_answer_on_the_screen_by_itself(site: Site, open_page: OpenPage) -> None:
    """No click: the poll brings the list with the bit that was set after the page was opened."""
    page = open_with_clock(site, open_page)
    fake, sibling = (site.regions["tw"].issue(site.now, status_index=index) for index in (3, 4))
    assert paste(page, fake) == "accepted"
    at = site.now + timedelta(seconds=20)
    lists = {"tw": [site.regions["tw"].status_list(at, revoked=(*world.REVOKED, 3))]}
    site.signed = site.bundle(at=at, number=6, status_lists=lists)
    page.clock.run_for(POLL_MS)
    expect(page.locator("#answer")).to_have_attribute("data-answer", "refused")
    assert reasons(page) == ["revoked"]
    assert "no. 6," in page.locator("#answer").inner_text()
    assert paste(page, sibling) == "accepted"
    site.signed = site.bundle(at=at, number=5)
    page.clock.run_for(POLL_MS)
    assert paste(page, fake) == "refused"


def test_offline_an_answer_ends_with_the_greatest_age_of_its_list(site: Site, open_page: OpenPage) -> None:
    page = open_with_clock(site, open_page)
    kept_offline(page)
    text = site.regions["tw"].issue(site.now, expires_at=(site.now + timedelta(days=9)).replace(microsecond=0))
    assert paste(page, text) == "accepted"
    page.context.set_offline(True)
    for hours, trust, answer, age in ((2, "due", "accepted", "2 hours ago"), (28, "old", "unknown", "1 day ago")):
        page.clock.fast_forward(hours * 3_600_000)
        expect(page.locator("#trust")).to_have_attribute("data-trust", trust)
        expect(page.locator("#answer")).to_have_attribute("data-answer", answer)
        assert age in page.locator("#trust").inner_text()
    assert reasons(page) == ["list-too-old"]
    assert "1 day ago" in page.locator("#answer").inner_text()


def test_an_older_or_forged_list_never_reaches_the_page(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    good = site.regions["tw"].issue(site.now)
    assert paste(page, good) == "accepted"
    newer = site.bundle(at=site.now + timedelta(seconds=1), number=6, acceptance=None)
    for served, number in (
        (newer, "6"),
        (site.bundle(number=4), "6"),
        (newer[:-9] + "AAAAAAAAA", "6"),
        ("not a bundle", "6"),
    ):
        site.signed = served
        page.locator("#refresh").click()
        page.wait_for_timeout(400)
        assert f"no. {number}," in page.locator("#trust").inner_text()
    assert paste(page, good) == "unknown"
    assert reasons(page) == ["no-rules"]


def test_pictures_are_read_turned_mirrored_and_damaged(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    text = site.regions["tw"].issue(site.now)
    code = Image.open(BytesIO(world.picture(text, scale=7))).convert("L")
    turned = code.rotate(33, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    hole = code.copy()
    side = code.width // 6
    hole.paste(128, (side * 3, side * 3, side * 4, side * 4))
    noise = Image.blend(code, Image.effect_noise(code.size, 120), 0.4)
    wide = Image.new("L", (1400, 900), 190)
    wide.paste(code.resize((420, 420)), (700, 300))
    changed = {
        "as it is": code,
        "turned": turned,
        "upside down": code.rotate(180),
        "mirrored": ImageOps.mirror(code),
        "damaged": hole,
        "noisy": noise,
        "blurred": code.filter(ImageFilter.GaussianBlur(2)),
        "pale": code.point(lambda value: 140 + value // 4),
        "in a large picture": wide,
    }
    for name, image in changed.items():
        if page.locator("#next").is_visible():
            page.locator("#next").click()
        file = BytesIO()
        image.convert("RGB").save(file, "JPEG", quality=80)
        page.locator("#picture").set_input_files({"name": "c.jpg", "mimeType": "image/jpeg", "buffer": file.getvalue()})
        assert answered(page) == "accepted", name


def test_a_picture_without_a_pass_is_unknown_and_says_why(site: Site, open_page: OpenPage) -> None:
    page = open_page()
    grey = BytesIO()
    Image.effect_noise((300, 300), 90).save(grey, "PNG")
    files: dict[str, Any] = {
        "no-code": {"name": "n.png", "mimeType": "image/png", "buffer": grey.getvalue()},
        "picture-not-read": {"name": "n.png", "mimeType": "image/png", "buffer": b"no picture"},
        "not-understood": picture_file("https://example.org/menu"),
    }
    for why, file in files.items():
        if page.locator("#next").is_visible():
            page.locator("#next").click()
        page.locator("#picture").set_input_files(file)
        assert answered(page) == "unknown"
        assert reasons(page) == [why]


MATRICES = """async (cases) => {
  const {decodeModules} = await import('/static/verifier/qr-decode.js');
  return cases.map(({bits, size}) => {
    try { return decodeModules(Uint8Array.from(bits, Number), size) }
    catch (error) { return error.code ?? String(error) }
  });
}"""


def test_codes_of_every_version_and_level_are_read_in_each_mode_and_mask(module_page: Page) -> None:
    texts: dict[str, str] = {
        "numeric": "01234567",
        "alphanumeric": "HC1:AB $%*+-./",
        "byte": "pässe 通行",
        "kanji": "点茗",
    }
    cases, wanted = [], []
    for version in range(1, 41):
        for number, error in enumerate("LMQH"):
            mode = list(texts)[(version + number) % 4]
            text = texts[mode][:2] if version < 3 else texts[mode]
            how: dict[str, Any] = {"version": version, "error": error, "mode": mode, "mask": (version + number) % 8}
            code = segno.make(text, **how, boost_error=False, micro=False)
            bits = "".join("1" if module else "0" for row in code.matrix for module in row)
            cases.append({"bits": bits, "size": len(code.matrix)})
            wanted.append(text)
    assert len(cases) == 160
    assert module_page.evaluate(MATRICES, cases) == wanted


DETECTORS = {
    "none": "delete globalThis.BarcodeDetector",
    "reads": "globalThis.BarcodeDetector = class { static async getSupportedFormats() { return ['qr_code'] }"
    " async detect() { globalThis.asked = true; return [{ rawValue: TEXT }] } }",
    "fails": "globalThis.BarcodeDetector = class { static async getSupportedFormats() { return ['qr_code'] }"
    " async detect() { globalThis.asked = true; throw new Error('no service') } }",
    "breaks": "globalThis.BarcodeDetector = class { static async getSupportedFormats() {"
    " globalThis.asked = true; throw new Error('no service') } }",
}
"""The platform's barcode detector: absent, working, failing at each picture, failing at once."""


def test_the_camera_reads_a_code(site: Site, launch: Callable[..., Browser], tmp_path: Path) -> None:
    """A picture as the camera's input: Chromium plays a file where a camera would be."""
    shown = site.regions["pe"].issue(site.now)
    code = Image.open(BytesIO(world.picture(shown, scale=5))).convert("L")
    frame = Image.new("L", (640, 480), 200)
    side = 400
    frame.paste(code.resize((side, side)).rotate(8, Image.Resampling.BICUBIC, fillcolor=230), (130, 40))
    video = tmp_path / "code.y4m"
    chroma = bytes([128]) * (320 * 240)
    header = b"YUV4MPEG2 W640 H480 F10:1 Ip A1:1 C420jpeg\n"
    video.write_bytes(header + b"".join(b"FRAME\n" + frame.tobytes() + chroma * 2 for _ in range(10)))
    flags = (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={video}",
    )
    browser = launch(*flags)
    for kind, detector in DETECTORS.items():
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.add_init_script(detector.replace("TEXT", json.dumps(shown)))
        page.goto(f"{site.origin}/en/scan")
        page.locator("#verifier[data-ready]").wait_for()
        for button in ("#scan", "#next"):
            page.locator(button).click()
            page.locator("#answer").wait_for()
            assert answered(page) == "accepted", kind
            assert page.evaluate("document.getElementById('video').srcObject") is None
        assert page.evaluate("Boolean(globalThis.asked)") is (kind != "none")
        page.close()


def test_without_a_camera_the_page_says_what_else_to_do(open_page: OpenPage) -> None:
    page = open_page("zh")
    page.locator("#scan").click()
    expect(page.locator("#trouble")).to_contain_text("图片")
    expect(page.locator("#picture")).to_be_enabled()
