"""``node.toml``: what it may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from hutong.errors import BadInput
from hutong.settings import FILE, Limits, load_settings

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


def limits(folder: Path, text: str) -> Limits:
    (folder / FILE).write_text(GIVEN.format("") + text, "utf-8")
    return load_settings(folder, {}).limits


def test_limits_are_numbers_above_zero(tmp_path: Path) -> None:
    found = limits(tmp_path, "[limits]\nfile_bytes = 10\nremote_timeout_seconds = 2\n")
    assert found == Limits(file_bytes=10, remote_timeout_seconds=2)
    assert limits(tmp_path, "[limits]\nremote_timeout_seconds = 0.5\n").remote_timeout_seconds == 0.5


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('file_bytes = "4GB"', "the limit file_bytes is no number above zero"),
        ("file_bytes = 4.5", "the limit file_bytes is no number"),
        ("query_threads = -1", "the limit query_threads is no number"),
        ("query_threads = 0", "the limit query_threads is no number"),
        ("query_threads = true", "the limit query_threads is no number"),
        ("remote_timeout_seconds = nan", "the limit remote_timeout_seconds is no number"),
        ("remote_timeout_seconds = inf", "the limit remote_timeout_seconds is no number"),
        ("file_byte = 4", "there is no limit 'file_byte'"),
    ],
)
def test_limits_that_are_refused(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        limits(tmp_path, f"[limits]\n{line}\n")
