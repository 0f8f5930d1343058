"""Where the browser of the tests and of the documentation's pictures is."""

from __future__ import annotations

from pathlib import Path

_PLACES = (Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium"))
"""Debian's headless shell is the same engine without the rest of a browser, and takes a third of the processor time."""

CHROMIUM = next((place for place in _PLACES if place.exists()), _PLACES[-1])
FLAGS = ("--no-sandbox", "--disable-background-networking")
