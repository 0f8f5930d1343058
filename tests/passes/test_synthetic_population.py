"""The synthetic population: the same seed gives the same people, where the weights say, acquired without a finding."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import date, datetime
from importlib.resources import files
from pathlib import Path

import pytest

from hutong.acquisition.actions import acquire, declare_source, set_boundary
from hutong.acquisition.boundary import Boundary
from hutong.acquisition.source import Source
from hutong.demo.residents import OUTBREAK_2015, Population, resident_number, write_population
from hutong.errors import BadInput, LimitExceeded
from hutong.node import Node
from tests.passes import region as regions

TEXT = {"en": "x", "zh": "x"}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def made(tmp_path: Path) -> Population:
    return write_population(tmp_path / "a", count=4000, seed=1)


def test_the_same_seed_gives_the_same_files(made: Population, tmp_path: Path) -> None:
    again = write_population(tmp_path / "b", count=4000, seed=1)
    other = write_population(tmp_path / "c", count=4000, seed=2)
    for one, same, different in (
        (made.residents, again.residents, other.residents),
        (made.places, again.places, other.places),
        (made.stays, again.stays, other.stays),
    ):
        assert one.read_bytes() == same.read_bytes()
        assert one.read_bytes() != different.read_bytes()


def test_people_live_where_the_weights_say(made: Population) -> None:
    residents = rows(made.residents)
    assert [row["resident_number"] for row in residents] == [resident_number(index) for index in range(4000)]
    homes = Counter(row["area_code"] for row in residents)
    assert set(homes) <= set(OUTBREAK_2015)
    total = sum(OUTBREAK_2015.values())
    for code, weight in OUTBREAK_2015.items():
        expected = 4000 * weight / total
        assert abs(homes[code] - expected) < 6 * expected**0.5
    assert {row["sex"] for row in residents} == {"female", "male"}
    assert all(1915 <= int(row["birth_year"]) <= 2015 for row in residents)


def test_stays_are_elsewhere_and_in_the_four_weeks_before(made: Population) -> None:
    homes = {row["resident_number"]: row["area_code"] for row in rows(made.residents)}
    stays = rows(made.stays)
    assert len(stays) == made.stays_count
    assert 2000 < len(stays) < 4000
    for row in stays:
        assert row["area_code"] != homes[row["resident_number"]]
        arrived, left = datetime.fromisoformat(row["arrived"]), datetime.fromisoformat(row["left"])
        assert datetime(2015, 8, 18) <= arrived < left <= datetime(2015, 9, 15)  # noqa: DTZ001 - local times of a file


def test_each_stay_is_at_a_place_of_its_township(made: Population) -> None:
    places = {row["place_id"]: row for row in rows(made.places)}
    assert len(places) == made.places_count
    assert Counter(place["area_code"] for place in places.values()) == dict.fromkeys(OUTBREAK_2015, 12)
    assert len({(place["area_code"], place["name"]) for place in places.values()}) == len(places)
    assert {place["longitude"] + place["latitude"] for place in places.values()} == {""}
    visited = Counter(row["place_id"] for row in rows(made.stays))
    assert len(visited) > 200
    assert all(places[row["place_id"]]["area_code"] == row["area_code"] for row in rows(made.stays))


def test_places_lie_near_the_centres_that_are_known(tmp_path: Path) -> None:
    centre = (120.2, 23.0)
    made = write_population(tmp_path, count=10, townships={"TW-1": 1.0, "TW-2": 1.0}, centres={"TW-1": centre})
    for place in rows(made.places):
        if place["area_code"] == "TW-2":
            assert place["longitude"] == place["latitude"] == ""
        else:
            assert abs(float(place["longitude"]) - centre[0]) <= 0.01
            assert abs(float(place["latitude"]) - centre[1]) <= 0.01


def test_the_files_are_acquired_whole(made: Population, node: Node) -> None:
    regions.declare(node)
    held = ("person", "place", "stay")
    tables = {name: frozenset(e.name for e in node.standard.table(name).elements) for name in held}
    set_boundary(node, by=node.operator, boundary=Boundary("b", "dengue-2015", "passes", tables, date(2026, 3, 30)))
    declare_source(node, by=node.operator, source=Source("people", TEXT, "p", "TW", "l", "h", "c"))
    for name, path, count in (
        ("residents", made.residents, 4000),
        ("places", made.places, made.places_count),
        ("stays", made.stays, made.stays_count),
    ):
        mapping = files("hutong.demo").joinpath("mappings", f"{name}.yaml").read_text("utf-8")
        receipt = acquire(node, by=node.operator, source_id="people", path=path, mapping=mapping)
        assert (receipt.rows, receipt.accepted, receipt.findings) == (count, count, ())


def test_what_can_not_be_made_is_refused(tmp_path: Path) -> None:
    for townships in ({}, {"TW-1": 0.0}, {"TW-1": -1.0}):
        with pytest.raises(BadInput):
            write_population(tmp_path, count=10, townships=townships)
    for count in (0, 5_000_001):
        with pytest.raises(LimitExceeded):
            write_population(tmp_path, count=count)
    one = write_population(tmp_path, count=10, townships={"TW-1": 1.0})
    assert one.stays_count == 0
