"""A user's own lists in the place of packaged ones: their names, territories, areas and publications."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from hutong.acquisition.mapping_file import mapping_text, read_mapping
from hutong.errors import BadInput, NotFound
from hutong.node import is_territory
from hutong.opening.catalogue.catalogue import Text
from hutong.settings import checked_id
from hutong.standard import Standard
from hutong.standard.yaml_text import load_yaml

if TYPE_CHECKING:
    from hutong.demo.lists import LineList

LICENCE = "http://publications.europa.eu/resource/authority/licence/OP_DATPRO"
NO_TERRITORY = "ZZ"
LEVELS = ("region1", "region2", "region3", "village")
_JOINED = frozenset({"from", "separator", "prefix", "spaces", "replace", "nulls"})


def named_places(places: Sequence[str], files: Mapping[str, Path], mappings: Mapping[str, Any]) -> dict[str, str]:
    """How the region in each place is called: by its packaged name, or by the name that the user gave a list.

    A list that has the name of a place takes it; others take those that are left, in the order in which they are given.
    """
    own = [name for name in dict.fromkeys((*files, *mappings)) if name not in places]
    free = [place for place in places if place not in files and place not in mappings]
    for region in own:
        checked_id(region)
        if region not in files:
            raise BadInput(f"There is no list of the region {region}.", f"Give it too: --source {region}=FILE")
        if region not in mappings:
            raise BadInput(f"There is no mapping of the list of {region}.", f"Give it too: --mapping {region}=FILE")
    if len(own) > len(free) or "hub" in own:
        raise BadInput(
            f"The demonstration has a hub and {len(places)} regions; {', '.join(own)} can't be added.",
            "Give at most one list for each region.",
        )
    return {place: place for place in places} | dict(zip(free, own, strict=False))


def own_mappings(paths: Sequence[Path], standard: Standard) -> dict[str, str]:
    """The texts of mapping files by the table (case or area) that each says it fills."""
    found = {}
    for path in paths:
        text = mapping_text(path)
        table = read_mapping(text, standard, name=path.name).table.name
        if table not in ("case", "area"):
            raise BadInput(f"The mapping {path} fills the table {table}.", "Give mappings of the tables case and area.")
        found[table] = text
    return found


def areas_of_cases(mapping: str, region: str) -> str:
    """A mapping of areas, made of what a mapping of cases says of the area of residence: one level for each column."""
    given = load_yaml(mapping, "mapping")
    residence = given["elements"].get("residence_area_code")
    residence = residence if isinstance(residence, dict) else {}
    columns = residence.get("from", [])
    columns = [columns] if isinstance(columns, str) else columns
    if not columns or len(columns) > len(LEVELS) or set(residence) - _JOINED:
        raise BadInput(
            f"The areas of {region} can't be read off its mapping of cases.",
            f"Give a mapping of areas too: --mapping {region}=FILE",
        )
    territory = _territory(str(residence.get("prefix", "")))

    def code(upto: int) -> dict[str, Any]:
        if upto == 0:
            return {"constant": territory}
        rest = {key: value for key, value in residence.items() if key != "from" and (key != "separator" or upto > 1)}
        return {"from": columns[:upto] if upto > 1 else columns[0], **rest}

    repaired = {key: residence[key] for key in ("replace", "nulls") if key in residence}

    def name(column: str) -> dict[str, Any]:
        return {"from": column, **repaired}

    top = {"level": "country", "elements": {"area_code": code(0), "name_en": {"constant": territory}}}
    below = [
        {"level": level, "elements": {"area_code": code(at), "name_en": name(column), "parent_code": code(at - 1)}}
        for at, (level, column) in enumerate(zip(LEVELS, columns, strict=False), start=1)
    ]
    kept = {key: given[key] for key in ("format", "nulls") if key in given}
    document = {"mapping": f"{region}-areas", "version": 1, "table": "area", **kept, "levels": [top, *below]}
    return orjson.dumps(document).decode()  # JSON is YAML, and needs no aliases


def _territory(prefix: str) -> str:
    """``PE`` of ``PE-``; a code for no territory where the areas' codes don't begin with one."""
    found = re.match(r"[A-Z]{2}(?=-|$)", prefix)
    return found[0] if found and is_territory(found[0]) else NO_TERRITORY


def territory_of_areas(mapping: str) -> str:
    """The territory that a mapping of areas names as its country."""
    levels = load_yaml(mapping, "mapping").get("levels") or [{}]
    code = levels[0].get("elements", {}).get("area_code", {}).get("constant", "")
    return str(code) if is_territory(str(code)) else NO_TERRITORY


def as_own(packaged: LineList, *, region: str, file: Path, mappings: Mapping[str, str]) -> LineList:
    """A user's file in the place of a packaged one: nothing that is said of the packaged list holds for it."""
    if not file.is_file():
        raise NotFound(f"There is no file {file}.", "Check the path given with --source.")
    title = Text(en=f"Own list {file.name}", zh=f"自有清单 {file.name}")
    kinds = {
        "weekly-counts": Text(en="cases by week and area", zh="按周与地区统计"),
        "case-records": Text(en="case records, k-anonymous", zh="个案记录（k-匿名）"),
    }
    source_id = f"{region}-dengue"
    publications = tuple(
        replace(
            one,
            dataset=f"{source_id}-{one.dataset.rpartition('-')[2]}",
            source=source_id,
            title=Text(en=f"{title.en}: {kinds[one.kind].en}", zh=f"{title.zh}：{kinds[one.kind].zh}"),
            description=Text(en=f"Made from the user's own file {file.name}.", zh="由用户自有文件生成。"),
            licence=LICENCE,
            provenance=Text(
                en=f"The user's own file {file.name}, acquired by mapping.", zh="用户自有文件，按映射采集。"
            ),
            contact=replace(one.contact, email=f"data@{region}.example"),
            quasi_identifiers={
                name: replace(quasi, no_coarser_than="") for name, quasi in one.quasi_identifiers.items()
            },
        )
        for one in packaged.publications
    )
    territory = territory_of_areas(mappings["area"])
    source = replace(
        packaged.source,
        id=source_id,
        title={"en": title.en, "zh": title.zh},
        provider="The user of the demonstration",
        territory=territory,
        licence=LICENCE,
        homepage="urn:hutong:demonstration",
        citation=title.en,
    )
    name = {"en": f"Region {region} (demonstration)", "zh": f"地区 {region} 节点（演示）"}
    return replace(
        packaged,
        region=region,
        name=packaged.name if region == packaged.region else name,
        file=file,
        mappings=mappings,
        source=source,
        publications=publications,
        is_own=True,
    )
