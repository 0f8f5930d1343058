"""What is wanted of figures, as it was said before anything was measured; jobs are found by how they begin."""

from __future__ import annotations

WANTED = {
    "verify: decoded": "≥ 9,000 passes/s and ≥ 0.40×",
    "issue: signed and encoded": "≥ 10,000 /s",
    "issue with QR picture": "≥ 800 /s",
    "status list of 10 M": "≤ 150 KB",
    "status check": "≤ 10 µs",
    "12 rules over 10,000,000 persons": "≥ 100×",
    "  peak memory": "≤ 4,096 MiB",
    "furthest from the median": "≤ 10 %",
    "one result among 1,000,000 persons": "95 % in ≤ 2 s",
}


def wanted_of(job: str) -> str:
    """What is wanted of a job; empty where nothing was said."""
    return next((wanted for begin, wanted in WANTED.items() if job.startswith(begin)), "")
