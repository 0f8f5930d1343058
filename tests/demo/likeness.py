"""Whether two pictures show the same page: structural similarity, band by band.

The index of Wang, Bovik, Sheikh and Simoncelli (IEEE Transactions on Image Processing 13(4), 2004) over brightness at a
third of the size. Other smoothing of letters, other dates and other counts hardly lower it; a part that is gone, new or
has moved by a few pixels does, in the band where it is. So the lowest of eight bands counts, from top to bottom.

Other colours may be as bright: what the two pictures have in common of all colour, hue by hue, counts too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, gaussian_filter1d

HUES, FAINT = 36, 24
"""Hues that are told apart, ten degrees each; a pixel whose channels lie closer together counts as grey."""
BANDS, SMALLER, SIGMA = 8, 3, 1.5
LEAST = 0.88
"""Noise gives 0.93 and more, a change of the page 0.84 and less: see ``test_likeness``."""


def likeness(one: Image.Image, other: Image.Image) -> float:
    """1 for the same picture; the mean index of the band in which they differ most, or the colour that they share."""
    shared = np.minimum(_colours(one), _colours(other)).sum()
    return float(min(shared, _structure(one, other)))


def _structure(one: Image.Image, other: Image.Image) -> float:
    ours, theirs = _seen(one), _seen(other)
    mean, other_mean = _near(ours), _near(theirs)
    spread, other_spread = _near(ours * ours) - mean**2, _near(theirs * theirs) - other_mean**2
    together = _near(ours * theirs) - mean * other_mean
    steady, steady_too = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    index = (2 * mean * other_mean + steady) * (2 * together + steady_too)
    index /= (mean**2 + other_mean**2 + steady) * (spread + other_spread + steady_too)
    return float(min(band.mean() for band in np.array_split(index, BANDS)))


def _seen(picture: Image.Image) -> Any:
    size = (picture.width // SMALLER, picture.height // SMALLER)
    return np.asarray(picture.convert("L").resize(size, Image.Resampling.BOX), dtype=float)


def _colours(picture: Image.Image) -> Any:
    """How much of all colour has each hue, to the sum of 1; neighbouring hues blend, as letters' edges do."""
    red, green, blue = np.moveaxis(np.asarray(picture.convert("RGB"), dtype=float), -1, 0)
    strength = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    angle = np.arctan2(3**0.5 * (green - blue), 2 * red - green - blue)
    hue = np.floor(angle / (2 * np.pi) * HUES).astype(int) % HUES
    strength[strength < FAINT] = 0
    sums = gaussian_filter1d(np.bincount(hue.ravel(), strength.ravel(), HUES), 1, mode="wrap")
    return sums / sums.sum() if sums.sum() else np.full(HUES, 1 / HUES)


def _near(values: Any) -> Any:
    return gaussian_filter(values, SIGMA)
