"""Spark beside the embedded warehouse: raw and ledger go over as Parquet, dbt builds there, and the marts come back.

Events and assignments are big, what is computed from them is small: so only the build moves. Python reads marts and appends to
``raw`` and ``ledger`` where it always does, whichever engine built the marts. Spark runs in this process (``local[*]``) with a
metastore of its own in the warehouse's folder; a cluster is a matter of ``spark.master`` and of where the Parquet lies.
"""

import os
import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import duckdb

from orchestration.edges.warehouse import Warehouse, transaction
from orchestration.errors import Refusal, WarehouseLocked

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row, SparkSession

# Schemas whose one writer is Python; those of pulled sources are in the sources' own shape.
PULLED = ("bluesky", "google_ads", "klaviyo", "linkedin", "mailchimp", "mastodon", "meta", "tiktok")
GIVEN = ("raw", "ledger", *(f"raw_{source}" for source in PULLED))
CONFIGURATION = "loopwright"  # the folder that says a configuration is ours
BUILT = ("policy", "marts")  # what is read outside the build
_DEFAULTS: Mapping[str, str] = {
    "spark.master": "local[*]",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "4g",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",  # DuckDB's timestamp: without a zone, always UTC here
    "spark.sql.sources.partitionOverwriteMode": "dynamic",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.legacy.allowNonEmptyLocationInCTAS": "true",  # what a build that was cut off left behind
}


class SparkEngine:
    """The Spark side of one warehouse; one at a time in a process, as Spark has one session there.

    Attributes:
        folder: Holds the exported Parquet, Spark's tables and its metastore.
    """

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self.folder = (warehouse.folder / "spark").resolve()

    def start(self) -> "SparkSession":
        """The session that dbt uses too; what ``SPARK_CONF_DIR`` names beforehand is respected.

        Raises:
            Refusal: if pyspark or Java is missing, or the process already serves another warehouse.
            WarehouseLocked: if another process builds on it.
        """
        reason = missing()
        if reason:
            raise Refusal("engine spark", reason, "Install it, or unset LOOP_ENGINE to build with DuckDB.")
        is_ours = Path(os.environ.get("SPARK_CONF_DIR", CONFIGURATION)).name == CONFIGURATION
        if is_ours:
            os.environ["SPARK_CONF_DIR"] = str(self._write_configuration())
        from pyspark.sql import SparkSession

        session = SparkSession.builder.enableHiveSupport().getOrCreate()
        if is_ours and str(self.folder) not in str(session.conf.get("spark.sql.warehouse.dir")):
            raise Refusal("engine spark", "this process has a Spark session of another warehouse", "Use a new process.")
        try:
            session.sql("show schemas").collect()
        except Exception as error:
            if "XSDB6" not in str(error):  # Derby's word for a database that another process has open
                raise
            raise WarehouseLocked(
                str(self.folder / "metastore"), "another process builds on it", "Wait for it to end, and try again."
            ) from error
        return session

    def _write_configuration(self) -> Path:
        conf = self.folder / CONFIGURATION
        conf.mkdir(parents=True, exist_ok=True)
        metastore = f"jdbc:derby:;databaseName={self.folder / 'metastore'};create=true"
        values = {
            **_DEFAULTS,
            "spark.sql.warehouse.dir": (self.folder / "tables").as_uri(),
            "spark.hadoop.javax.jdo.option.ConnectionURL": metastore,
            "spark.driver.extraJavaOptions": f'"-Dderby.stream.error.file={self.folder / "derby.log"}"',
        }
        text = "".join(f"{name} {value}\n" for name, value in values.items())
        (conf / "spark-defaults.conf").write_text(text, encoding="utf-8")
        return conf

    def offer(self, schemas: tuple[str, ...] = GIVEN) -> dict[str, int]:
        """Brings Spark's copy of the append-only tables up to date; costs what is new, not what there is.

        Returns:
            Qualified table -> rows it holds there now.

        Raises:
            Refusal: if events are read in place, which Spark would leave out.
        """
        session = self.start()
        if self._warehouse.rows("select 1 from raw.event_files limit 1"):
            raise Refusal("engine spark", "cannot read events in place", "Import them, or build with DuckDB.")
        rows: dict[str, int] = {}
        with self._warehouse.connect() as connection:
            tables = _tables(connection, schemas)
            for schema, table in tables:
                rows[f"{schema}.{table}"] = self._export(connection, schema, table)
        for schema in schemas:
            session.sql(f"create schema if not exists {schema}")
        known = {f"{schema}.{row.tableName}" for schema in schemas for row in _registered(session, schema)}
        for (schema, table), name in zip(tables, rows, strict=True):
            folder = self.folder / schema / table
            if name in known and session.table(name).columns == _parquet_columns(folder):
                session.sql(f"refresh table {name}")
                continue
            session.sql(f"drop table if exists {name}")
            session.sql(f"create table {name} using parquet location '{folder.as_uri()}'")
        return rows

    def _export(self, connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> int:
        folder = self.folder / schema / table
        source = f'{schema}."{table}"'
        columns = connection.execute(
            "select column_name, data_type from duckdb_columns() where schema_name = ? and table_name = ? order by column_index",
            [schema, table],
        ).fetchall()
        chosen = ", ".join(
            f'"{name}"::varchar as "{name}"' if kind == "JSON" else f'"{name}"' for name, kind in columns
        )
        held, last = _fetch(connection, f"select count(*), coalesce(max(rowid), -1) from {source}")
        there = 0
        if held == last + 1 and _parquet_columns(folder) == [name for name, _ in columns]:
            there = _still_first(connection, folder, source, chosen)
        if not there:  # new, of another shape, or rows were erased: all of it
            shutil.rmtree(folder, ignore_errors=True)
        elif there == held:
            return there
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / ".draft"
        connection.execute(
            f"copy (select {chosen} from {source} where rowid >= {there}) to '{_quoted(draft)}' (format parquet)"
        )
        os.replace(draft, folder / f"from_{there:012}.parquet")
        return int(held)

    def bring_back(self, schemas: tuple[str, ...] = BUILT) -> dict[str, int]:
        """Replaces what Python and readers look at by what Spark built, all of it or nothing.

        Returns:
            Qualified table -> rows.
        """
        session = self.start()
        known = {row.namespace for row in session.sql("show schemas").collect()}
        rows: dict[str, int] = {}
        with self._warehouse.connect() as connection, transaction(connection):
            for schema in (schema for schema in schemas if schema in known):
                connection.execute(f"create schema if not exists {schema}")
                for row in _registered(session, schema):
                    name = f"{schema}.{row.tableName}"
                    _replace(connection, name, session.table(name))
                    rows[name] = int(_fetch(connection, f"select count(*) from {name}")[0])
        return rows


def missing() -> str | None:
    """Why Spark cannot run here, or None."""
    if find_spec("pyspark") is None:
        return "the extra `spark` is not installed"
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        return "Java 17 is not installed"
    return None


def _registered(session: "SparkSession", schema: str) -> "list[Row]":
    """Tables of a schema; ``show tables`` names the session's temporary views too, which belong to none."""
    return [row for row in session.sql(f"show tables in {schema}").collect() if not row.isTemporary]


def _tables(connection: duckdb.DuckDBPyConnection, schemas: tuple[str, ...]) -> list[tuple[str, str]]:
    return connection.execute(
        "select schema_name, table_name from duckdb_tables() where list_contains(?, schema_name) order by all",
        [list(schemas)],
    ).fetchall()


def _parquet_columns(folder: Path) -> list[str]:
    import pyarrow.parquet as pq

    files = sorted(folder.glob("*.parquet"))
    return list(pq.read_schema(files[-1]).names) if files else []


def _still_first(connection: duckdb.DuckDBPyConnection, folder: Path, source: str, chosen: str) -> int:
    """Rows exported before, if the last of them is still the row of that number in the table; else 0.

    Erasing a row moves all later ones when DuckDB compacts the table, so that one comparison shows it.
    """
    parquet = f"read_parquet('{_quoted(folder)}/*.parquet')"
    (there,) = _fetch(connection, f"select count(*) from {parquet}")
    if not there:
        return 0
    newest = f"read_parquet('{_quoted(sorted(folder.glob('*.parquet'))[-1])}', file_row_number = true)"
    exported = connection.execute(
        f"select * exclude (file_row_number) from {newest} order by file_row_number desc limit 1"
    ).fetchone()
    held = connection.execute(f"select {chosen} from {source} where rowid = {there - 1}").fetchone()
    return int(there) if exported == held else 0


def _replace(connection: duckdb.DuckDBPyConnection, name: str, built: "DataFrame") -> None:
    """Reads the Parquet of a table that Spark built; one without a file has no rows, only columns."""
    if files := [unquote(urlsplit(file).path) for file in built.inputFiles()]:
        connection.execute(f"create or replace table {name} as select * from read_parquet(?)", [files])
        return
    connection.register("nothing_built", built.toArrow())
    connection.execute(f"create or replace table {name} as select * from nothing_built")
    connection.unregister("nothing_built")


def _fetch(connection: duckdb.DuckDBPyConnection, query: str, parameters: list[Any] | None = None) -> tuple[Any, ...]:
    row = connection.execute(query, parameters).fetchone()
    assert row is not None, "a query of aggregates has one row"
    return row


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
