"""Step 7: levels for a synthetic population in a real outbreak, a pass, and its recognition by the other region."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hutong.demo.run import Demo


def passes(demo: Demo) -> None:
    """Placeholder until the stage is wired."""
