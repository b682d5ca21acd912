"""Where Dagster keeps what a run did: SQLite, with its connections kept open and without a disk flush per event.

A build of this project reports some 700 events; the storage that ships opens and flushes a database for each of them, which
takes longer than the build. In WAL mode with ``synchronous = NORMAL`` a power cut may lose the last events of a run, never the file
(https://www.sqlite.org/pragma.html#pragma_synchronous); what the loop itself did is in the warehouse, not here.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as db
from dagster._core.storage.event_log import SqliteEventLogStorage
from sqlalchemy.pool import StaticPool


class QuickEventLog(SqliteEventLogStorage):
    """Dagster's SQLite event log, one open connection per file."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._engines: dict[str, db.Engine] = {}
        self._tables: set[str] = set()
        super().__init__(*args, **kwargs)

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> "QuickEventLog":
        """What Dagster calls to open the storage; the parent's names its own class and would return that one."""
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[db.Connection]:
        with self._db_lock:
            engine = self._engines.get(shard)
            if engine is None:
                engine = db.create_engine(
                    self.conn_string_for_shard(shard),
                    poolclass=StaticPool,
                    connect_args={"timeout": 60, "check_same_thread": False},
                )
                self._initdb(engine)
                self._initialized_dbs.add(shard)
                with engine.connect() as connection:
                    connection.execute(db.text("PRAGMA synchronous = NORMAL"))
                self._engines[shard] = engine
            with engine.connect() as connection, connection.begin():
                yield connection

    def has_table(self, table_name: str) -> bool:
        """Whether the index has a table; Dagster asks for each event of a check, and a table does not go away."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def dispose(self) -> None:
        """Closes every connection."""
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()
        super().dispose()
