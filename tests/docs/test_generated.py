"""Generated pages are what the code says now. When one is not: ``make docs``."""

from __future__ import annotations

import pytest
from docs.writers import errors, markdown

from docs import generate
from hutong.errors import HutongError


@pytest.mark.parametrize("name", generate.PAGES)
def test_a_generated_page_is_as_committed(name: str) -> None:
    fresh = generate.PAGES[name]()
    assert (generate.DOCS / name).read_text("utf-8") == fresh, "outdated: run make docs"


def test_an_outdated_page_is_noticed(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(generate, "DOCS", tmp_path)
    monkeypatch.setattr(generate, "PAGES", {"errors.md": errors.write})
    (tmp_path / "errors.md").write_text("of yesterday", "utf-8")
    assert list(generate.outdated()) == ["errors.md"]
    assert generate.main(["--check"]) == 1
    assert generate.main([]) == 0
    assert generate.outdated() == {}


def test_every_error_is_on_its_page() -> None:
    page = errors.write()
    kinds = [kind for kind in errors.tree(HutongError) if kind is not HutongError]
    assert len(kinds) >= 8
    assert all(f"`{kind.__name__}`" in page and f"`{kind.code}`" in page for kind in kinds)


def test_a_cell_can_not_break_its_table() -> None:
    assert markdown.table(("a", "b"), [("x|y", "one\ntwo")]).splitlines()[-1] == "| x\\|y | one two |"
