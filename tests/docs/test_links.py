"""Every link between pages, every named file and every picture exists; pages that error messages name exist too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from docs.screenshots import IMAGES, SHOTS
from PIL import Image

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\((?P<target>[^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_SECRET = re.compile(r"BEGIN [A-Z ]*PRIVATE KEY|pypi\.org|files\.pythonhosted|registry\.npmjs")


def anchors(page: str) -> set[str]:
    """Anchors of a page: its headings as GitHub names them, and those set by hand."""
    found = set(re.findall(r'<a id="([^"]+)"', page))
    for heading in re.findall(r"^#+ (.+)$", _FENCE.sub("", page), re.MULTILINE):
        plain = re.sub(r"[`*]|<[^>]+>", "", heading).lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


def links(page: Path) -> list[str]:
    return [found["target"] for found in _LINK.finditer(_FENCE.sub("", page.read_text("utf-8")))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in links(page):
        if link.startswith(("https://", "http://")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (
            anchor and target.suffix == ".md" and anchor not in anchors(target.read_text("utf-8"))
        ):
            broken.append(link)
    assert not broken


def test_there_are_pages_and_links() -> None:
    assert len(PAGES) > 40
    assert sum(len(links(page)) for page in PAGES) > 150


def test_pages_that_the_program_names_exist() -> None:
    named = {
        name
        for path in (ROOT / "src").rglob("*")
        if path.suffix in {".py", ".html", ".yaml"}
        for name in re.findall(r"docs/[\w/-]+\.\w+", path.read_text("utf-8"))
    }
    assert named
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def test_every_page_is_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        targets = [(page.parent / link.partition("#")[0]).resolve() for link in links(page) if "://" not in link]
        waiting += [target for target in targets if target.suffix == ".md" and target.is_file()]
    assert sorted(str(page.relative_to(ROOT)) for page in set(PAGES) - reached) == []


def test_pictures_are_small() -> None:
    pictures = sorted((ROOT / "docs" / "images").iterdir())
    assert pictures
    assert [picture.name for picture in pictures if picture.stat().st_size > 150_000] == []


def test_pictures_of_pages_are_those_that_are_taken_of_the_demonstration() -> None:
    """Each is shown somewhere, and each that is shown can be taken again: ``tests/demo`` does."""
    shown = {Path(link).name for page in PAGES for link in links(page) if link.endswith(".png")}
    assert shown == {f"{shot.name}.png" for shot in SHOTS}
    assert shown == {picture.name for picture in IMAGES.glob("*.png")}
    for shot in SHOTS:
        assert Image.open(IMAGES / f"{shot.name}.png").size == shot.window, shot.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_hold_no_secret_and_no_registry(page: Path) -> None:
    assert not _SECRET.search(page.read_text("utf-8"))
