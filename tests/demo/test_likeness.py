"""The comparison of pictures notices what a reader would, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from docs.screenshots import IMAGES, SHOTS
from PIL import Image, ImageFilter

from tests.demo.likeness import LEAST, likeness

PICTURES = [IMAGES / f"{shot.name}.png" for shot in SHOTS]


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_a_change_of_the_page_is_noticed_and_noise_is_not(path: Path) -> None:
    page = Image.open(path).convert("RGB")
    width, height = page.size
    blurred = page.filter(ImageFilter.GaussianBlur(0.6))
    between = page.transform(page.size, Image.Transform.AFFINE, (1, 0, 0.5, 0, 1, 0.3), Image.Resampling.BILINEAR)
    figures = page.copy()
    for number in range(12):  # other digits, here and there
        x, y = (number * 97) % (width - 60), (number * 71) % (height - 20)
        figures.paste(page.crop((x + 20, y, x + 60, y + 16)), (x, y))
    for noisy in (page, blurred, between, figures):
        assert likeness(page, noisy) > LEAST

    lower = page.copy()  # a line more in the middle
    lower.paste(page.crop((0, height * 3 // 10, width, height - 24)), (0, height * 3 // 10 + 24))
    gone = page.copy()
    gone.paste(page.getpixel((2, height // 2)), (0, height // 2, width, height * 6 // 10))
    headless = page.copy()
    headless.paste((252, 252, 250), (0, 0, width, height // 20))
    for changed in (lower, gone, headless):
        assert likeness(page, changed) < LEAST
