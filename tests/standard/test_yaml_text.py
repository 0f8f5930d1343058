"""YAML that people write: what JSON could say is read, and what YAML would do silently or endlessly is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from hutong.acquisition.mapping_file import read_mapping
from hutong.acquisition.quality_file import read_rules
from hutong.errors import BadInput, HutongError, LimitExceeded
from hutong.insight.risk_area import read_rule
from hutong.opening.publication import parse_publication
from hutong.passes.documents import parse_document
from hutong.standard import load
from hutong.standard.yaml_text import load_yaml

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
REFUSED: dict[str, tuple[str, type[HutongError], str]] = {
    "a key twice": ("id: one\nversion: 1\nid: two\n", BadInput, "'id' twice"),
    "a key twice, deep down": ("a: {b: [{c: 1, d: 2, c: 3}]}", BadInput, "'c' twice"),
    "nested 5,000 deep": ("a: " + "[" * 5000, LimitExceeded, "too deep"),
    "nested 5,000 deep, closed": ("a: " + "[" * 5000 + "]" * 5000, LimitExceeded, "too deep"),
    "a bomb of aliases": (BOMB, BadInput, "alias"),
    "an alias of itself": ("&a [*a]", BadInput, "alias"),
}
READERS: dict[str, Callable[[str], Any]] = {
    "mapping": lambda text: read_mapping(text, load()),
    "quality rules": lambda text: read_rules(text, "{}", load()),
    "risk-area rule": read_rule,
    "publication": parse_publication,
    "rulebook": lambda text: parse_document(text.encode(), "rulebook"),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", REFUSED)
def test_every_reader_refuses_what_yaml_does_silently_or_endlessly(name: str, reader: str) -> None:
    text, kind, words = REFUSED[name]
    with pytest.raises(kind, match=words):
        READERS[reader](text)


@pytest.mark.parametrize("text", ["a: [", "a: \x00", "a: " + "9" * 5000, "a: !!python/object:os.system x", "a: {b: c"])
def test_what_is_no_yaml(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        load_yaml(text, "it")


def test_dates_stay_text_and_the_same_key_may_be_in_two_objects() -> None:
    assert load_yaml("a: {day: 2026-01-31, n: 1}\nb: [{n: true}, {n: null}]", "it") == {
        "a": {"day": "2026-01-31", "n": 1},
        "b": [{"n": True}, {"n": None}],
    }


def test_every_document_that_comes_with_the_package_is_read() -> None:
    package = Path(read_rule.__code__.co_filename).parents[1]
    documents = [path for path in sorted(package.rglob("*.yaml")) if path.parent.parent.name != "standard"]
    assert len(documents) > 20
    for path in documents:
        assert isinstance(load_yaml(path.read_text("utf-8"), path.name), dict), path
