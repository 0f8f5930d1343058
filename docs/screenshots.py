"""Takes the pictures of the documentation from a demonstration: ``python -m docs.screenshots [DIR]``.

DIR is what ``hutong demo`` made; Chromium must be there. The nodes are served here on their own ports, so the
demonstration itself must not be running. ``tests/demo`` takes the same pictures of its own demonstration.
"""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.chromium import FLAGS, SHELL

from hutong.demo.servers import serving
from hutong.settings import load_settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

IMAGES = Path(__file__).parent / "images"
MOST_BYTES = 150_000
DESKTOP, TALL, PHONE = (1200, 860), (1200, 1500), (390, 780)


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: its name, the node, the page and the size of the window."""

    name: str
    node: str
    path: str
    window: tuple[int, int] = DESKTOP


SHOTS = (
    Shot("home", "tw", "/en/", TALL),
    Shot("dataset", "tw", "/en/datasets/tw-dengue-weekly", TALL),
    Shot("catalogue", "hub", "/en/catalogue"),
    Shot("log", "tw", "/en/log"),
    Shot("verify-phone", "pe", "/zh/pass/verify", PHONE),
)


def take(shot: Shot, browser: Browser, url: str) -> bytes:
    """The picture (PNG) of a page of the node at ``url``.

    Raises ``RuntimeError`` for a page that is not there or a picture that is too large.
    """
    width, height = shot.window
    page = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=1)
    try:
        answer = page.goto(url + shot.path)
        if answer is None or answer.status != 200:
            raise RuntimeError(f"{shot.path} answered {answer and answer.status}")
        content = small(page.screenshot())
    finally:
        page.close()
    if len(content) > MOST_BYTES:
        raise RuntimeError(f"{shot.name}.png has {len(content)} bytes")
    return content


def main(folder: Path) -> None:
    """Take all pictures of the documentation again. Raises ``RuntimeError`` as :func:`take` does."""
    from playwright.sync_api import sync_playwright

    nodes = {name: load_settings(folder / name) for name in sorted({shot.node for shot in SHOTS})}
    ports = {settings.folder: urlsplit(settings.url).port or 80 for settings in nodes.values()}
    IMAGES.mkdir(exist_ok=True)
    with serving(ports), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=SHELL, args=list(FLAGS))
        for shot in SHOTS:
            (IMAGES / f"{shot.name}.png").write_bytes(take(shot, browser, nodes[shot.node].url))
        browser.close()


def small(picture: bytes) -> bytes:
    """The picture with 128 colours, which is enough for these pages."""
    from PIL import Image

    written = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").quantize(128).save(written, "PNG", optimize=True)
    return written.getvalue()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo-data").absolute())
