"""The page of settings: ``node.toml``, its limits, and the environment variables that the code reads."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from pathlib import Path

from docs.writers.markdown import page, table

from hutong.settings import ENGINES, Limits, Settings

_VARIABLE = re.compile(r'(?:environment\.get\(|envvar=)"(HUTONG_[A-Z_]+)"')
SOURCE = Path(__file__).parents[2] / "src" / "hutong"

SETTINGS = {
    "folder": "not a setting: the folder that holds the file",
    "id": "short id of the node: a lower-case letter, then lower-case letters, digits and hyphens; at most 31 "
    "characters. It is part of the log's origin and of agreements: it can't be changed later",
    "name": "table with `en` and `zh`: the organisation's name",
    "territory": "ISO 3166-1 code of what it answers for; `*` for a hub",
    "url": "public address of the node, `https://…`; addresses in the catalogue begin with it",
    "database_url": "SQLAlchemy address of the records; SQLite in the node's folder unless told otherwise. See "
    "[PostgreSQL](../how-to/run-on-postgresql.md)",
    "engine": f"where set-based work runs: {' or '.join(f'`{engine}`' for engine in ENGINES)}. See "
    "[Spark](../how-to/use-spark.md)",
    "languages": "list of BCP 47 tags, `en` and `zh` among them: every text of a rulebook, crosswalk or rule for a "
    "scene is wanted in each before it is published. Pages speak English and Chinese; programs and `--json` "
    "give every text",
    "limits": "table of what is accepted at most, see below",
}
LIMITS = {
    "file_bytes": "size of a file that is acquired",
    "line_bytes": "length of a line in it",
    "rows_per_file": "rows of it",
    "request_bytes": "size of a request to the API, files apart",
    "picture_pixels": "size of a picture with a pass",
    "harvest_bytes": "size of an answer of another node",
    "harvest_datasets": "datasets taken from one party's catalogue",
    "sign_in_attempts": "tries to sign in with one name or from one address, in the window below",
    "sign_in_window_seconds": "that window",
    "session_seconds": "life of a browser's session",
    "remote_timeout_seconds": "how long another node may take to answer",
    "query_memory_megabytes": "memory of the engine",
    "query_threads": "threads of the engine",
}
VARIABLES = {
    "HUTONG_NODE": "folder of the node, where no `--node` is given",
    "HUTONG_DATABASE_URL": "goes before `database_url`: keeps a password out of the file",
    "HUTONG_ENGINE": "goes before `engine`",
    "HUTONG_URL": "goes before `url`",
    "HUTONG_SECOND_TOKEN": "API token of the second person where a command asks for two, instead of `--second-token`",
}


def write() -> str:
    """The page. Raises ``RuntimeError`` when the code has a setting that is not described here."""
    found = sorted({name for path in SOURCE.rglob("*.py") for name in _VARIABLE.findall(path.read_text())})
    _require_same("environment variables", found, VARIABLES)
    return page(
        "Settings",
        "src/hutong/settings.py",
        _INTRODUCTION,
        table(("Setting", "Default", "Meaning"), _rows(Settings, SETTINGS, leave_out=("folder",))),
        "## Limits\n\nSizes are in bytes, times in seconds. `[limits]` in the file changes them one by one.",
        table(("Limit", "Default", "Meaning"), _rows(Limits, LIMITS)),
        "## Environment",
        table(("Variable", "Meaning"), ((f"`{name}`", VARIABLES[name]) for name in found)),
    )


def _rows(kind: type, texts: dict[str, str], leave_out: tuple[str, ...] = ()) -> list[tuple[str, str, str]]:
    names = [entry.name for entry in fields(kind)]
    _require_same(kind.__name__, names, texts)
    rows = []
    for entry in fields(kind):
        if entry.name in leave_out:
            continue
        default = "" if entry.default is MISSING else entry.default
        if isinstance(default, int) and default >= 10_000:
            default = f"{default:,}"
        rows.append((f"`{entry.name}`", str(default), texts[entry.name]))
    return rows


def _require_same(what: str, found: list[str], described: dict[str, str]) -> None:
    if set(found) != set(described):
        raise RuntimeError(f"{what}: described and existing differ in {sorted(set(found) ^ set(described))}")


_INTRODUCTION = """
A node is set up by `node.toml` in its folder; `hutong init` writes it. Only `settings.py` reads this file and the
environment. An unknown setting is an error, not a silence.

```toml
id = "river"
territory = "PE"
url = "https://data.river.example"

[name]
en = "River Region"
zh = "河区"

[limits]
file_bytes = 1073741824
```
"""
