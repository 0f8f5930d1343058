"""``node.toml``: what it may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from hutong.errors import BadInput
from hutong.settings import FILE, load_settings

GIVEN = """id = "pe"
territory = "PE"
url = "http://127.0.0.1:8000"
{}
[name]
en = "Lima"
zh = "利马"
"""


def languages(folder: Path, line: str) -> tuple[str, ...]:
    (folder / FILE).write_text(GIVEN.format(line), "utf-8")
    return load_settings(folder, {}).languages


def test_a_node_speaks_english_and_chinese_and_what_it_names(tmp_path: Path) -> None:
    assert languages(tmp_path, "") == ("en", "zh")
    assert languages(tmp_path, 'languages = ["es", "zh", "en", "qu-PE"]') == ("en", "zh", "es", "qu-PE")


@pytest.mark.parametrize(
    "given",
    ['["es"]', '["en"]', '["en", "zh", "es", "es"]', '["en", "zh", "Spanish"]', '["en", "zh", 1]', '"en"', "[]"],
)
def test_languages_that_are_refused(tmp_path: Path, given: str) -> None:
    with pytest.raises(BadInput, match="languages must hold en and zh"):
        languages(tmp_path, f"languages = {given}")
