"""The comparison of pictures notices what a reader would, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from docs.screenshots import IMAGES, SHOTS
from PIL import Image, ImageFilter

from tests.demo.likeness import LEAST, likeness

PICTURES = [IMAGES / f"{shot.name}.png" for shot in SHOTS]


def with_another_accent(page: Image.Image) -> Image.Image:
    """The page with what is blue or green in it turned to red, as bright as it was."""
    pixels = np.asarray(page, dtype=float)
    weights = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, by which brightness is computed
    turned = pixels[..., ::-1]
    turned = turned * ((pixels @ weights) / np.maximum(turned @ weights, 1))[..., None]
    accent = (pixels[..., 2] - pixels[..., 0] > 40)[..., None]
    found = Image.fromarray(np.where(accent, turned.clip(0, 255), pixels).round().astype(np.uint8))
    assert np.abs(np.asarray(found.convert("L"), dtype=float) - np.asarray(page.convert("L"), dtype=float)).mean() < 0.1
    return found


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
    for changed in (lower, gone, headless, with_another_accent(page)):
        assert likeness(page, changed) < LEAST
