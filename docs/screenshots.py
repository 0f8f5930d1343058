"""Takes the pictures of the README from a demonstration: ``python -m docs.screenshots [DIR]``.

DIR is what ``hutong demo`` made; Chromium must be there. The nodes are served here on their own ports, so the
demonstration itself must not be running.
"""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hutong.demo.servers import serving
from hutong.settings import load_settings

IMAGES = Path(__file__).parent / "images"
CHROMIUM = "/usr/bin/chromium"
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


def main(folder: Path) -> None:
    """Take all pictures. Raises ``RuntimeError`` for a page that is not there or a picture that is too large."""
    from playwright.sync_api import sync_playwright

    nodes = {name: load_settings(folder / name) for name in sorted({shot.node for shot in SHOTS})}
    ports = {settings.folder: urlsplit(settings.url).port or 80 for settings in nodes.values()}
    IMAGES.mkdir(exist_ok=True)
    with serving(ports), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for shot in SHOTS:
            width, height = shot.window
            page = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=1)
            answer = page.goto(nodes[shot.node].url + shot.path, wait_until="networkidle")
            if answer is None or answer.status != 200:
                raise RuntimeError(f"{shot.path} answered {answer and answer.status}")
            content = small(page.screenshot())
            if len(content) > MOST_BYTES:
                raise RuntimeError(f"{shot.name}.png has {len(content)} bytes")
            (IMAGES / f"{shot.name}.png").write_bytes(content)
            page.close()
        browser.close()


def small(picture: bytes) -> bytes:
    """The picture with 128 colours, which is enough for these pages."""
    from PIL import Image

    written = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").quantize(128).save(written, "PNG", optimize=True)
    return written.getvalue()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo-data").absolute())
