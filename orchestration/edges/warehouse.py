"""The one door to the warehouse: every connection, migration, read and append goes through here.

DuckDB admits one writing process and, while it writes, no reader in another; connections are therefore short, and a locked
file is waited for and then named (https://duckdb.org/docs/stable/connect/concurrency).
"""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from orchestration.errors import Refusal, WarehouseLocked

MIGRATIONS = Path(__file__).parents[2] / "warehouse" / "migrations"
_LOCKED = re.compile(r"Could not set lock on file.*?(?:PID (\d+))", re.DOTALL)


class Warehouse:
    """An embedded DuckDB warehouse in one folder.

    Attributes:
        folder: Holds the database, the drop folders and the published copy.
        path: The database file; only one process may write to it at a time.
        published: Folder of the read-only copy that readers use.
    """

    def __init__(self, folder: Path, *, patience_seconds: float = 30.0) -> None:
        self.folder = folder
        self.path = folder / "loop.duckdb"
        self.published = folder / "published"
        self._patience = patience_seconds

    @contextmanager
    def connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection in UTC, closed at the end; waits for a lock and then says who holds it.

        Raises:
            WarehouseLocked: if another process still writes when the patience is over.
            Refusal: if the file is not a DuckDB database, or the folder cannot be written or is full.
        """
        connection = self._open()
        try:
            connection.execute("set timezone = 'UTC'")
            yield connection
        except (duckdb.IOException, duckdb.TransactionException) as error:
            if isinstance(error, duckdb.TransactionException) and "Could not write" not in str(error):
                raise
            raise Refusal(
                str(self.path), _first_line(error), "Check space and permissions, and run it again."
            ) from error
        finally:
            connection.close()

    def _open(self) -> duckdb.DuckDBPyConnection:
        deadline = time.monotonic() + self._patience
        while True:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                return duckdb.connect(str(self.path))
            except duckdb.IOException as error:
                found = _LOCKED.search(str(error))
                if not found:
                    raise Refusal(
                        str(self.path), _first_line(error), "Check the file, or choose another with --warehouse."
                    ) from error
                if time.monotonic() > deadline:
                    raise WarehouseLocked(
                        str(self.path),
                        f"process {found[1]} is writing to it",
                        "Wait for it to end, or stop it, and try again.",
                    ) from error
                time.sleep(0.2)
            except duckdb.ResourceInUseException as error:  # another thread of this process is letting go of it
                if time.monotonic() > deadline:
                    raise WarehouseLocked(
                        str(self.path), "another thread of this process does not let go of it", "Try again."
                    ) from error
                time.sleep(0.01)
            except OSError as error:
                raise Refusal(
                    str(self.folder), f"cannot be written ({error.strerror})", "Choose another folder with --warehouse."
                ) from error

    def migrate(self) -> list[str]:
        """Applies the numbered migrations that are missing, each in a transaction; returns their names."""
        applied = []
        with self.connect() as connection:
            connection.execute("create schema if not exists ledger")
            connection.execute("create table if not exists ledger.migrations (name varchar primary key)")
            known = {row[0] for row in connection.execute("select name from ledger.migrations").fetchall()}
            for file in sorted(MIGRATIONS.glob("[0-9]*.sql")):
                if file.stem in known:
                    continue
                with transaction(connection):
                    connection.execute(file.read_text(encoding="utf-8"))
                    connection.execute("insert into ledger.migrations values (?)", [file.stem])
                applied.append(file.stem)
        return applied

    def read(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> pd.DataFrame:
        """Runs a query and returns its rows; integers with nulls come as nullable columns."""
        with self.connect() as connection:
            return connection.execute(query, parameters or None).df()

    def rows(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[dict[str, Any]]:
        """Runs a query and returns its rows as dictionaries of Python values (null is None)."""
        with self.connect() as connection:
            cursor = connection.execute(query, parameters or None)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def append(self, rows_by_table: Mapping[str, Sequence[Any]]) -> None:
        """Appends rows to tables of ``raw`` or ``ledger``, all of them or none.

        Args:
            rows_by_table: Qualified table name -> records (dataclasses or dictionaries with equal keys); columns they lack are null.
        """
        with self.connect() as connection, transaction(connection):
            for table, records in rows_by_table.items():
                rows = [_as_row(record) for record in records]
                if not rows:
                    continue
                columns = list(rows[0])
                marks = ", ".join("?" for _ in columns)
                connection.executemany(
                    f"insert into {table} ({', '.join(columns)}) values ({marks})",
                    [[row[name] for name in columns] for row in rows],
                )


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commits at the end, rolls back on any error."""
    connection.execute("begin")
    try:
        yield
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")


def _as_row(record: Any) -> dict[str, Any]:
    if is_dataclass(record) and not isinstance(record, type):
        return asdict(record) if fields(record) else {}
    return dict(record)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
