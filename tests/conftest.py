"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FIXTURES = Path(__file__).resolve().parents[2] / "shared" / "fixtures"


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """Folder of the foreign conformance suites; its absence is a failure in CI and a loud skip elsewhere."""
    if not FIXTURES.is_dir():
        message = f"the foreign suites are not at {FIXTURES}: conformance was NOT checked"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return FIXTURES
