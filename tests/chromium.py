"""Where the browsers of the tests and of the documentation's pictures are."""

from __future__ import annotations

from pathlib import Path

CHROMIUM = Path("/usr/bin/chromium")
_SHELL = Path("/usr/bin/chromium-headless-shell")

SHELL = _SHELL if _SHELL.exists() else CHROMIUM
"""Looks at pages. Debian's headless shell is the same engine without the rest of a browser, and takes a third of the
processor time; what is installed as an app, or has a camera, is tried in the whole browser.
"""

FLAGS = ("--no-sandbox", "--disable-background-networking")
