"""The catalogue that a node shows: what it published itself and what it harvested, with its documents and its index.

It is read from the records when something was published or harvested since, and kept in the process until then; the
log says when, so that another process on the same node (the command line, a job) is noticed too.
"""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hutong.errors import NotFound
from hutong.node import Node
from hutong.opening import queries as opening
from hutong.opening.catalogue.catalogue import Catalogue, Dataset, Publisher, Text
from hutong.sharing import queries

if TYPE_CHECKING:
    from hutong.opening.catalogue.search import SearchIndex

CHANGING = ("release.published", "catalogue.harvested", "catalogue.vanished")
FORM = 4
"""Raised when a newer edition of the program tells otherwise of the same datasets: then documents and index are new."""
MOST_KEPT_DOCUMENTS = 200

DESCRIPTION = Text(
    en="Health data that this node collected and opened, and what it harvested from other nodes.",
    zh="本节点采集并开放的健康数据，以及从其他节点汇集的数据目录。",
)


@dataclass(slots=True)
class _Kept:
    """What one process keeps of one node's catalogue."""

    edition: str
    catalogue: Catalogue
    documents: dict[str, bytes] = field(default_factory=dict)


_kept: dict[Path, _Kept] = {}
_indexes: dict[Path, SearchIndex] = {}
_lock = threading.RLock()


def edition(node: Node) -> str:
    """Names the state of the catalogue: it changes when a release was published or another catalogue harvested."""
    newest = [entry.index for kind in CHANGING for entry in node.log.entries(kind=kind, limit=1)]
    return f"{node.id}-{FORM}-{max(newest, default=0)}"


def catalogue(node: Node) -> Catalogue:
    """Own and harvested datasets, as of now."""
    return _current(node).catalogue


def dataset(node: Node, name: str) -> Dataset:
    """A dataset of the catalogue by its name there. ``NotFound`` when there is none."""
    for known in catalogue(node).datasets:
        if known.name == name:
            return known
    raise NotFound(f"There is no dataset {name[:100]}.", "Search the catalogue.")


def document(node: Node, name: str, write: Callable[[Catalogue], bytes]) -> tuple[str, bytes]:
    """A document made from the catalogue by ``write``, made once for each edition: the edition, and its bytes."""
    with _lock:
        kept = _current(node)
        if name not in kept.documents:
            if len(kept.documents) >= MOST_KEPT_DOCUMENTS:
                kept.documents.clear()
            kept.documents[name] = write(kept.catalogue)
        return kept.edition, kept.documents[name]


def index(node: Node) -> SearchIndex:
    """The search index over the catalogue, rebuilt first when it is of an older edition."""
    from hutong.opening.catalogue.search import SearchIndex

    _refresh_index(node)
    with _lock:
        return _indexes.setdefault(node.settings.folder, SearchIndex(node.settings.search_folder))


def _refresh_index(node: Node) -> None:
    from hutong.opening.catalogue.search import rebuild

    folder = node.settings.search_folder
    written = folder / "EDITION"
    if _text(written) == edition(node):
        return
    folder.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(folder / "rebuild.lock"):
        now = edition(node)
        if _text(written) != now:
            rebuild(folder, catalogue(node).datasets)
            written.write_text(now)


def _current(node: Node) -> _Kept:
    now = edition(node)
    with _lock:
        kept = _kept.get(node.settings.folder)
        if kept is None or kept.edition != now:
            kept = _kept[node.settings.folder] = _Kept(now, _read(node))
        return kept


def _read(node: Node) -> Catalogue:
    own = opening.datasets(node)
    names = {known.name for known in own}
    # An own dataset goes before a harvested one that would have its name.
    others = [entry.dataset for entry in queries.harvested(node) if entry.dataset.name not in names]
    name = Text(**node.settings.name)
    return Catalogue(
        id=node.id,
        url=node.settings.url,
        title=name,
        description=DESCRIPTION,
        publisher=Publisher(id=node.id, name=name, url=node.settings.url),
        created=datetime.fromisoformat(node.log.entry(0).event["at"]),
        datasets=(*own, *others),
    )


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
