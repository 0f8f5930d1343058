"""What is wanted of figures, as it was said before anything was measured; jobs are found by how they begin."""

from __future__ import annotations

from dataclasses import dataclass

from bench.figure import Figure


@dataclass(frozen=True, slots=True)
class Wanted:
    """Bounds of a figure; None where nothing was said.

    Attributes:
        job: how the job begins.
        least, most: of the figure, in its unit.
        least_ratio: of the figure over its reference.
    """

    job: str
    least: float | None = None
    most: float | None = None
    least_ratio: float | None = None

    def missed_by(self, figure: Figure) -> bool:
        """Whether the figure is outside; one that is not a number is."""
        inside = (
            self.least is None or figure.value >= self.least,
            self.most is None or figure.value <= self.most,
            self.least_ratio is None or (figure.ratio is not None and figure.ratio >= self.least_ratio),
        )
        return not all(inside)

    def text(self, unit: str) -> str:
        """The bounds in words."""
        ratio = f"{self.least_ratio:,.2f}".rstrip("0").rstrip(".") if self.least_ratio is not None else ""
        bounds = (
            f"≥ {self.least:,.0f} {unit}" if self.least is not None else "",
            f"≤ {self.most:,.0f} {unit}" if self.most is not None else "",
            f"≥ {ratio}×" if ratio else "",
        )
        return " and ".join(bound for bound in bounds if bound)


WANTED = (
    Wanted("verify: decoded", least=9_000, least_ratio=0.4),
    Wanted("wrong codes,", least=10_000),
    Wanted("issue: signed and encoded", least=10_000),
    Wanted("issue with QR picture", least=800),
    Wanted("status list of 10 M", most=150),
    Wanted("status check", most=10),
    Wanted("12 rules over 10,000,000 persons", least_ratio=100),
    Wanted("  peak memory", most=4_096),
    Wanted("furthest from the median", most=10),
    Wanted("one result among 1,000,000 persons", most=2),
    Wanted("from the command to the end of step 8", most=90),
    Wanted("both lists acquired", most=20),
    Wanted("resident memory at most", most=2),
)


def wanted_of(figure: Figure) -> Wanted | None:
    """What is wanted of a figure; None where nothing was said."""
    return next((wanted for wanted in WANTED if figure.job.startswith(wanted.job)), None)


def wanted_text(figure: Figure) -> str:
    """The same in words; empty where nothing was said."""
    wanted = wanted_of(figure)
    return wanted.text(figure.unit) if wanted else ""


def missed(figures: list[Figure]) -> list[Figure]:
    """The figures that are not what was wanted of them."""
    return [figure for figure in figures if (wanted := wanted_of(figure)) and wanted.missed_by(figure)]
