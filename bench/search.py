"""Catalogue search in two languages, with facets, beside a scan of all titles in the same run."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product
from pathlib import Path

from bench.figure import Figure, rate, seconds
from hutong.opening.catalogue.catalogue import Dataset, Keywords, Publisher, Text
from hutong.opening.catalogue.search import Query, SearchIndex, rebuild

PART = "search"
DATASETS = 10_000
DISEASES = (("dengue", "登革热"), ("influenza", "流感"), ("measles", "麻疹"), ("cholera", "霍乱"), ("covid", "新冠"))
MEASURES = (("cases", "病例"), ("deaths", "死亡"), ("tests", "检测"), ("beds", "床位"), ("vaccinations", "接种"))


def run(folder: Path) -> Iterator[Figure]:
    """Index a catalogue as large as a national one, and search it."""
    datasets = _catalogue()
    yield Figure(
        PART, f"index of {DATASETS:,} datasets built", DATASETS / seconds(lambda: rebuild(folder, datasets), rounds=1),
        "datasets/s",
    )  # fmt: skip
    index = SearchIndex(folder)
    for text in ("dengue cases", "登革热病例"):
        assert index.search(Query(text=text)).total > 100
        found = 1000 / rate(partial(_find, index, text), 50)
        words = text.split() if text.isascii() else [text[:3], text[3:]]
        scanned = 1000 / rate(partial(_scan, datasets, words), 20)
        yield Figure(
            PART, f"“{text}” with facets, 20 of {DATASETS:,}", found, "ms", "scan of titles, no facets", scanned
        )


def _find(index: SearchIndex, text: str, _number: int) -> int:
    return index.search(Query(text=text)).total


def _scan(datasets: list[Dataset], words: list[str], _number: int) -> int:
    return sum(all(word in f"{d.title.en} {d.title.zh}".lower() for word in words) for d in datasets)


def _catalogue() -> list[Dataset]:
    publisher = Publisher("node", Text("Health bureau", "卫生局"))
    kinds = list(product(DISEASES, MEASURES))
    made = []
    for number in range(DATASETS):
        disease, measure = kinds[number % len(kinds)]
        title = Text(f"{disease[0].title()} {measure[0]} in area {number}", f"第{number}区{disease[1]}{measure[1]}")
        keywords = Keywords(en=(disease[0], measure[0]), zh=(disease[1], measure[1]))
        made.append(Dataset(f"dataset-{number}", title, title, publisher, number % 3, keywords=keywords))
    return made
