"""Whether two pictures show the same page: structural similarity, band by band.

The index of Wang, Bovik, Sheikh and Simoncelli (IEEE Transactions on Image Processing 13(4), 2004) over brightness at a
third of the size. Other smoothing of letters, other dates and other counts hardly lower it; a part that is gone, new or
has moved by a few pixels does, in the band where it is. So the lowest of eight bands counts, from top to bottom.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

BANDS, SMALLER, SIGMA = 8, 3, 1.5
LEAST = 0.88
"""Noise gives 0.93 and more, a change of the page 0.84 and less: see ``test_likeness``."""


def likeness(one: Image.Image, other: Image.Image) -> float:
    """1 for the same picture; the mean index of the band in which the two differ most."""
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


def _near(values: Any) -> Any:
    return gaussian_filter(values, SIGMA)
