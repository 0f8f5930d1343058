"""A synthetic population: seeded, so that the same seed gives the same files, and of nobody.

Names are drawn from lists of frequent ones, numbers begin with ``R``; townships, their weights and centres are the
caller's, so that the people live, and the places lie, where a real outbreak was.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hutong.errors import BadInput, LimitExceeded

if TYPE_CHECKING:
    import numpy as np

MAX_RESIDENTS = 5_000_000
STAY_WINDOW_DAYS = 28
STAYS_PER_RESIDENT = 0.9
SHARE_STAYING_NEAR = 0.8
RESIDENTS_HEADER = ("resident_number", "name", "sex", "birth_year", "area_code")
PLACES_HEADER = ("place_id", "kind", "name", "area_code", "longitude", "latitude")
STAYS_HEADER = ("resident_number", "place_id", "area_code", "arrived", "left")
TESTS_HEADER = ("resident_number", "sampled_at", "result")
TEST_WINDOW_DAYS = 20
SHARE_TESTED = 0.01
SHARE_POSITIVE = 0.4
PLACES_PER_TOWNSHIP = 12
PLACES_WITHIN_DEGREES = 0.01
"""How far a place may lie from the centre of its township: about a kilometre."""

# Residents (thousands, end of 2015) of the districts of Tainan and Kaohsiung where the outbreak of 2015 was, and of
# quieter ones around them.
OUTBREAK_2015: Final[Mapping[str, float]] = {
    **{"TW-6703400": 133, "TW-6703300": 126, "TW-6703700": 78, "TW-6703200": 189, "TW-6703100": 233},
    **{"TW-6703500": 187, "TW-6703600": 65, "TW-6702700": 74, "TW-6702800": 68, "TW-6701800": 43, "TW-6700100": 78},
    **{"TW-6400500": 344, "TW-6400900": 192, "TW-6401200": 356, "TW-6400800": 176, "TW-6400200": 135},
    **{"TW-6400300": 196, "TW-6401100": 156, "TW-6400400": 178, "TW-6401900": 98, "TW-6403100": 41, "TW-6403000": 38},
}
_FAMILY: Final = "陈林黄张李王吴刘蔡杨许郑谢郭洪曾邱廖赖徐周叶苏庄吕江何萧罗高"
_GIVEN: Final = "志明淑芬俊杰雅婷建宏怡君家豪美玲宗翰惠雯冠宇佩珊承恩宜庭柏翰诗涵彦廷欣怡子轩品妤"
_PLACES: Final[Mapping[str, tuple[float, str]]] = {
    **{"workplace": (0.2, "工业园"), "market": (0.2, "市场"), "restaurant": (0.15, "餐馆"), "school": (0.15, "学校")},
    **{"transport": (0.1, "车站"), "park": (0.1, "公园"), "hospital": (0.05, "医院"), "worship": (0.05, "庙")},
}
"""Kind of place to its share and to the last word of its names."""
_PLACE_NAMES: Final = ("永安", "和平", "大同", "新兴", "光明", "福安", "东门", "西门", "南门", "北门", "中山", "文化")


@dataclass(frozen=True, slots=True)
class Population:
    """The four files, and how many rows three of them have beside the header."""

    residents: Path
    places: Path
    stays: Path
    tests: Path
    residents_count: int
    places_count: int
    stays_count: int


def resident_number(index: int) -> str:
    """Number of the resident with this index (from 0)."""
    return f"R{index + 1:08d}"


def write_population(
    folder: Path,
    *,
    count: int = 50_000,
    seed: int = 2015,
    townships: Mapping[str, float] = OUTBREAK_2015,
    centres: Mapping[str, tuple[float, float]] | None = None,
    as_of: date = date(2015, 9, 15),
) -> Population:
    """Write ``residents.csv``, ``places.csv``, ``stays.csv`` and ``tests.csv`` as the mappings of these names expect.

    Args:
        folder: where; it is created.
        count: residents.
        seed: of the random numbers.
        townships: area code to weight (its share of the residents).
        centres: area code to longitude and latitude; where a township has none, its places have no coordinates.
        as_of: stays lie in the four weeks up to this day (local time).

    Raises:
        BadInput: no township, or a weight that is not positive.
        LimitExceeded: more than five million residents.
    """
    import numpy as np

    if not townships or min(townships.values()) <= 0:
        raise BadInput("The population needs townships with positive weights.", "Give area codes and their residents.")
    if not 0 < count <= MAX_RESIDENTS:
        raise LimitExceeded(f"A synthetic population has 1 to {MAX_RESIDENTS:,} residents.", "Ask for fewer.")
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    codes, weights = _codes_and_shares(townships)
    homes = random.choice(codes.size, size=count, p=weights)
    numbers = np.array([resident_number(index) for index in range(count)], dtype=object)
    _write(folder / "residents.csv", RESIDENTS_HEADER, _residents(random, numbers, codes[homes], as_of))
    places_random = np.random.default_rng((seed, 1))  # of their own: people and stays are the same without places
    places = _places(places_random, codes, centres or {})
    _write(folder / "places.csv", PLACES_HEADER, places)
    who, where, *times = _stays(random, numbers, homes, townships, as_of)
    at = places[0].reshape(codes.size, -1)[where, places_random.integers(PLACES_PER_TOWNSHIP, size=where.size)]
    _write(folder / "stays.csv", STAYS_HEADER, (numbers[who], at, codes[where], *times))
    _write(folder / "tests.csv", TESTS_HEADER, _tests(random, numbers, as_of))
    return Population(
        residents=folder / "residents.csv",
        places=folder / "places.csv",
        stays=folder / "stays.csv",
        tests=folder / "tests.csv",
        residents_count=count,
        places_count=len(places[0]),
        stays_count=len(who),
    )


def _codes_and_shares(townships: Mapping[str, float]) -> tuple[Any, Any]:
    import numpy as np

    weights = np.array(list(townships.values()), dtype=float)
    return np.array(list(townships), dtype=object), weights / weights.sum()


def _residents(random: np.random.Generator, numbers: Any, homes: Any, as_of: date) -> Sequence[Any]:
    import numpy as np

    count = numbers.size
    family = np.array(list(_FAMILY), dtype=object)
    given = np.array(list(_GIVEN), dtype=object)
    names = family[random.integers(family.size, size=count)]
    for _ in range(2):
        names = names + given[random.integers(given.size, size=count)]
    sexes = np.array(["female", "male"], dtype=object)[random.integers(2, size=count)]
    ages = np.minimum(random.gamma(3.2, 12.5, size=count), 100).astype(int)
    return numbers, names, sexes, as_of.year - ages, homes


def _places(random: np.random.Generator, codes: Any, centres: Mapping[str, tuple[float, float]]) -> Sequence[Any]:
    """As many places in each township, kinds by their shares, each with a name of its own there, around the centre."""
    import numpy as np

    township, number = np.divmod(np.arange(codes.size * PLACES_PER_TOWNSHIP), PLACES_PER_TOWNSHIP)
    shares = [share for share, _ in _PLACES.values()]
    kinds = np.array(list(_PLACES), dtype=object)[random.choice(len(shares), size=number.size, p=shares)]
    names = [_PLACE_NAMES[at] + _PLACES[kind][1] for at, kind in zip(number, kinds, strict=True)]
    ids = [f"P{of + 1:02d}-{at + 1:02d}" for of, at in zip(township, number, strict=True)]
    moved = random.uniform(-PLACES_WITHIN_DEGREES, PLACES_WITHIN_DEGREES, size=(number.size, 2))
    known = np.array([centres.get(code, (np.nan, np.nan)) for code in codes])
    axes = [["" if np.isnan(at) else f"{at:.5f}" for at in axis] for axis in (known[township] + moved).T]
    return [np.array(column, dtype=object) for column in (ids, kinds, names, codes[township], *axes)]


def _stays(
    random: np.random.Generator, numbers: Any, homes: Any, townships: Mapping[str, float], as_of: date
) -> Sequence[Any]:
    """Who stayed in which township, from and to when.

    Most stays are in the same city as the home (codes with the same first characters), the others anywhere.
    """
    import numpy as np

    codes, weights = _codes_and_shares(townships)
    who = np.repeat(np.arange(numbers.size), random.poisson(STAYS_PER_RESIDENT, size=numbers.size))
    cities = np.array([code[:-5] for code in codes])
    where = random.choice(codes.size, size=who.size, p=weights)
    near = random.random(who.size) < SHARE_STAYING_NEAR
    for city in np.unique(cities):
        inside = np.flatnonzero(cities == city)
        chosen = near & (cities[homes[who]] == city)
        share = weights[inside] / weights[inside].sum()
        where[chosen] = random.choice(inside, size=int(chosen.sum()), p=share)
    elsewhere = where != homes[who]
    who, where = who[elsewhere], where[elsewhere]
    start = np.datetime64(as_of - timedelta(days=STAY_WINDOW_DAYS), "m")
    minutes = random.integers((STAY_WINDOW_DAYS - 3) * 24 * 4, size=who.size) * 15
    lasting = np.maximum(4, random.exponential(60, size=who.size).astype(int)) * 15
    arrived = start + minutes.astype("timedelta64[m]")
    left = arrived + np.minimum(lasting, 3 * 24 * 60).astype("timedelta64[m]")
    return who, where, np.datetime_as_string(arrived, unit="m"), np.datetime_as_string(left, unit="m")


def _tests(random: np.random.Generator, numbers: Any, as_of: date) -> Sequence[Any]:
    import numpy as np

    who = np.flatnonzero(random.random(numbers.size) < SHARE_TESTED)
    days = random.integers(TEST_WINDOW_DAYS, size=who.size)
    sampled = [f"{as_of - timedelta(days=int(day)):%Y-%m-%d}T09:00" for day in days]
    results = np.where(random.random(who.size) < SHARE_POSITIVE, "positive", "negative").astype(object)
    return numbers[who], np.array(sampled, dtype=object), results


def _write(path: Path, header: Sequence[str], columns: Sequence[Any]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(zip(*(column.tolist() for column in columns), strict=True))
    path.write_text(text.getvalue(), encoding="utf-8")
