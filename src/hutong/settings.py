"""One frozen ``Settings``, and the only reader of the environment and of a node's ``node.toml``."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final

from hutong.errors import BadInput, NotFound

FILE = "node.toml"
ENGINES = ("duckdb", "spark")
LANGUAGES = ("en", "zh")  # of the pages, as in the standard, which stands above settings
MOST: Final = 2**53
"""No limit is greater: what counts further is none."""
_ID = re.compile(r"[a-z][a-z0-9-]{0,30}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}")


@dataclass(frozen=True, slots=True)
class Limits:
    """What this node accepts at most. Sizes are in bytes, times in seconds."""

    file_bytes: int = 4 * 2**30
    line_bytes: int = 2**20
    rows_per_file: int = 50_000_000
    request_bytes: int = 32 * 2**20
    picture_pixels: int = 40_000_000
    harvest_bytes: int = 64 * 2**20
    harvest_datasets: int = 10_000
    sign_in_attempts: int = 10
    sign_in_window_seconds: int = 300
    session_seconds: int = 12 * 3600
    remote_timeout_seconds: float = 60.0
    query_memory_megabytes: int = 1024
    query_threads: int = 2


@dataclass(frozen=True, slots=True)
class Settings:
    """How one node is set up. ``folder`` holds everything the node keeps, unless ``database_url`` says otherwise."""

    folder: Path
    id: str
    name: Mapping[str, str]
    territory: str
    url: str
    database_url: str
    engine: str = "duckdb"
    languages: tuple[str, ...] = LANGUAGES
    limits: Limits = field(default_factory=Limits)

    @property
    def lake_folder(self) -> Path:
        return self.folder / "lake"

    @property
    def keys_folder(self) -> Path:
        return self.folder / "keys"

    @property
    def releases_folder(self) -> Path:
        return self.folder / "releases"

    @property
    def search_folder(self) -> Path:
        return self.folder / "search"


def node_folder(given: str | Path | None, environment: Mapping[str, str] = os.environ) -> Path:
    """The node's folder: what was given, else ``HUTONG_NODE``; ``BadInput`` if neither."""
    named = given or environment.get("HUTONG_NODE")
    if not named:
        raise BadInput("No node was named.", "Give --node DIR or set HUTONG_NODE.")
    return Path(named).expanduser().resolve()


def load_settings(folder: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings of the node in ``folder``; the environment (``HUTONG_DATABASE_URL`` …) goes before the file."""
    path = folder / FILE
    if not path.is_file():
        raise NotFound(f"There is no node in {folder}.", f"Create one with: hutong init --node {folder}")
    try:
        given = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not valid TOML: {error}.", "Correct the file.") from error
    return _settings(folder, given, environment)


def _settings(folder: Path, given: dict[str, object], environment: Mapping[str, str]) -> Settings:
    unknown = set(given) - {"id", "name", "territory", "url", "database_url", "engine", "languages", "limits"}
    if unknown:
        raise BadInput(f"{folder / FILE} has unknown settings: {', '.join(sorted(unknown))}.", "Remove them.")
    missing = {"id", "name", "territory", "url"} - set(given)
    if missing:
        raise BadInput(f"{folder / FILE} lacks: {', '.join(sorted(missing))}.", "Add them.")
    name = given["name"]
    if not isinstance(name, dict) or not {"en", "zh"} <= set(name):
        raise BadInput(f"{folder / FILE}: name needs en and zh.", 'Write [name] en = "…" zh = "…".')
    engine = environment.get("HUTONG_ENGINE") or str(given.get("engine", "duckdb"))
    if engine not in ENGINES:
        raise BadInput(f"Engine {engine!r} is not known.", f"Choose one of: {', '.join(ENGINES)}.")
    default_database = f"sqlite:///{folder / 'records.sqlite'}"
    return Settings(
        folder=folder,
        id=checked_id(str(given["id"])),
        name={"en": str(name["en"]), "zh": str(name["zh"])},
        territory=str(given["territory"]),
        url=(environment.get("HUTONG_URL") or str(given["url"])).rstrip("/"),
        database_url=environment.get("HUTONG_DATABASE_URL") or str(given.get("database_url", default_database)),
        engine=engine,
        languages=_languages(folder, given.get("languages", list(LANGUAGES))),
        limits=_limits(folder, given.get("limits", {})),
    )


def _limits(folder: Path, given: object) -> Limits:
    """The limits of the file, the others by default: each a number above zero, whole where its default is."""
    see = "See docs/reference/settings.md for the limits."
    if not isinstance(given, dict):
        raise BadInput(f"{folder / FILE}: [limits] holds no names with numbers.", see)
    known: dict[str, type] = {one.name: type(one.default) for one in fields(Limits)}
    for name, value in given.items():
        if name not in known:
            raise BadInput(f"{folder / FILE}: there is no limit {str(name)[:60]!r}.", see)
        if type(value) not in {int, known[name]} or not 0 < value <= MOST:
            raise BadInput(f"{folder / FILE}: the limit {name} is no number above zero.", see)
    return Limits(**given)


def _languages(folder: Path, given: object) -> tuple[str, ...]:
    """The languages (BCP 47) of the node: those of the pages first, then its own; 16 at most."""
    named = given if isinstance(given, list) else []
    own = [one for one in named if one not in LANGUAGES]
    well_formed = all(isinstance(one, str) and _LANGUAGE.fullmatch(one) for one in own)
    if not (set(LANGUAGES) <= {*map(str, named)} and well_formed and len(set(named)) == len(named) <= 16):
        raise BadInput(
            f"{folder / FILE}: languages must hold en and zh, each once, and at most 14 tags more.",
            'Write languages = ["en", "zh", "es"].',
        )
    return (*LANGUAGES, *own)


def checked_id(value: str) -> str:
    """A node's id: lower-case letters, digits and hyphens, at most 31, as used in addresses and the log's origin."""
    if not _ID.fullmatch(value):
        raise BadInput(f"{value!r} can't be a node's id.", "Use lower-case letters, digits and hyphens.")
    return value


def write_settings(folder: Path, *, node_id: str, name: Mapping[str, str], territory: str, url: str) -> None:
    """Write a new ``node.toml``; the caller has made sure that none is there."""

    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    lines = [
        f"id = {quoted(node_id)}",
        f"territory = {quoted(territory)}",
        f"url = {quoted(url)}",
        "",
        "[name]",
        f"en = {quoted(name['en'])}",
        f"zh = {quoted(name['zh'])}",
    ]
    (folder / FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")
