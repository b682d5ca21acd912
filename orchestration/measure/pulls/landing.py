"""Lands what a pull read, through dlt: rows first, then the reading that makes them count.

dlt keeps its cursor state in the warehouse beside the rows, and works in a folder that is thrown away: another machine goes on from
there. It opens the file itself, so the warehouse's door is held open around it: one lock, waited for as everywhere.
"""

import datetime as dt
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from orchestration.edges.warehouse import Warehouse, transaction
from orchestration.errors import LoopError
from orchestration.measure.pseudonyms import pseudonym_key
from orchestration.measure.pulls.contracts import Item
from orchestration.measure.pulls.definition import Source, Stream
from orchestration.measure.redaction import Redactor

ENVELOPE = ("row_id", "reading_id", "account_id", "stream", "item")
# What a source may not change: the envelope. The platform's own row is one text within it, new fields and all.
_CONTRACT: Any = {"tables": "evolve", "columns": "freeze", "data_type": "freeze"}
_COLUMNS: Any = {
    **{name: {"data_type": "text", "nullable": False} for name in ENVELOPE},
    "extracted_at": {"data_type": "timestamp", "timezone": False, "precision": 6, "nullable": False},
}
_EPOCH = dt.datetime.fromisoformat("2000-01-01")


@dataclass(frozen=True, slots=True)
class Reading:
    """One window of one report, read to its end.

    Attributes:
        days: First and last day, inclusive.
    """

    source: Source
    account_id: str
    stream: Stream
    days: tuple[dt.date, dt.date]
    extracted_at: dt.datetime

    @property
    def reading_id(self) -> str:
        """The same for the same read told twice."""
        told = [
            self.source.name, self.account_id, self.stream.name,
            *(day.isoformat() for day in self.days), self.extracted_at.isoformat(),
        ]  # fmt: skip
        return hashlib.sha256("\n".join(told).encode()).hexdigest()[:32]


class Landing:
    """Where pulls of one source land.

    Args:
        warehouse: The warehouse, migrated.
        source: Whose rows these are.
    """

    def __init__(self, warehouse: Warehouse, source: Source) -> None:
        self._warehouse, self._source = warehouse, source
        self._redactor = Redactor(pseudonym_key(warehouse.folder))

    def land(self, readings: Sequence[tuple[Reading, Sequence[Item]]]) -> int:
        """Appends rows and, after them, their readings; returns the rows.

        A kill between the two leaves rows that no reading vouches for: no model reads them, and the window is still due.

        Raises:
            WarehouseLocked: if another process writes to the warehouse.
        """
        rows = [self._row(reading, number, item) for reading, items in readings for number, item in enumerate(items)]
        with self._pipeline() as pipeline, self._warehouse.connect() as connection:
            if rows:
                pipeline.run(self._resource(lambda: iter(rows)))
            with transaction(connection):
                for reading, items in readings:
                    _vouch(connection, reading, len(items))
        return len(rows)

    def land_events(
        self,
        reading: Reading,
        since: dt.datetime | None,
        read: Callable[[dt.datetime], Iterable[tuple[str, dt.datetime, Item]]],
    ) -> int:
        """Inserts events that the table does not have, from the cursor in the warehouse less the source's lag.

        Args:
            since: Begins there and leaves the cursor alone: a backfill. None: from the cursor.
            read: Start -> (event id, when it happened, event), in any order.

        Returns:
            Events told, known ones included.

        Raises:
            Refusal: what ``read`` refused; nothing has landed then.
            WarehouseLocked: if another process writes to the warehouse.
        """
        import dlt

        told, cursor = 0, None
        if since is None:
            cursor = dlt.sources.incremental(
                "occurred_at", initial_value=_EPOCH, lag=self._source.lag_hours * 3600, primary_key=()
            )

        def events(occurred_at: Any = cursor) -> Iterator[dict[str, Any]]:  # dlt finds the cursor as the default
            nonlocal told
            for event_id, happened, item in read(since or occurred_at.start_value):
                told += 1
                row_id = _digest(reading.account_id, event_id)
                yield self._row(reading, 0, item) | {"row_id": row_id, "occurred_at": happened}

        with self._pipeline() as pipeline:
            with self._warehouse.connect():
                pipeline.sync_destination()
            with _refusals_unwrapped():
                pipeline.extract(self._resource(events, insert_only=True))  # the network, without the lock
            with self._warehouse.connect() as connection:
                pipeline.normalize()
                pipeline.load()
                with transaction(connection):
                    _vouch(connection, reading, told)
        return told

    def set_aside(self, reading: Reading, faults: Sequence[tuple[str, Item]], now: dt.datetime) -> None:
        """Keeps rows that break the contract, with the reason."""
        rows = [
            {
                "import_id": f"pull/{self._source.name}/{reading.reading_id}",
                "row_number": number,
                "reason": f"{reading.stream.name}: {reason}",
                "payload": self._told(item),
                "quarantined_at": now,
            }
            for number, (reason, item) in enumerate(faults)
        ]
        self._warehouse.append({"raw.quarantine": rows})

    def _row(self, reading: Reading, number: int, item: Item) -> dict[str, Any]:
        return {
            "row_id": f"{reading.reading_id}#{number}",
            "reading_id": reading.reading_id,
            "account_id": reading.account_id,
            "stream": reading.stream.name,
            "item": self._told(item),
            "extracted_at": reading.extracted_at,
        }

    def _told(self, item: Item) -> str:
        return self._redactor.redacted(self._source.provider, {}, json.dumps(item).encode())

    def _resource(self, rows: Callable[[], Any], *, insert_only: bool = False) -> Any:
        import dlt

        disposition: Any = {"disposition": "merge", "strategy": "insert-only"} if insert_only else "append"
        columns = (
            {**_COLUMNS, "occurred_at": {**_COLUMNS["extracted_at"], "nullable": True}} if insert_only else _COLUMNS
        )
        return dlt.resource(
            rows,
            name=self._source.table.partition(".")[2],
            write_disposition=disposition,
            primary_key="row_id" if insert_only else (),
            columns=columns,
            schema_contract=_CONTRACT,
            max_table_nesting=0,
        )

    @contextmanager
    def _pipeline(self) -> Iterator[Any]:
        import os

        os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")  # before its first import
        os.environ.setdefault("RUNTIME__LOG_LEVEL", "ERROR")
        import dlt

        with tempfile.TemporaryDirectory(prefix="pull-") as folder:
            yield dlt.pipeline(
                f"pull_{self._source.name}",
                pipelines_dir=folder,
                destination=dlt.destinations.duckdb(str(self._warehouse.path)),
                dataset_name=self._source.table.partition(".")[0],
            )


def _vouch(connection: Any, reading: Reading, rows: int) -> None:
    source, stream = reading.source, reading.stream
    connection.execute(
        "insert or ignore into raw.pull_readings values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            reading.reading_id, source.name, source.provider, reading.account_id, stream.name, stream.level,
            *reading.days, rows, reading.extracted_at,
        ],
    )  # fmt: skip


@contextmanager
def _refusals_unwrapped() -> Iterator[None]:
    """Raises a refusal that dlt has wrapped as itself; nothing of that extraction is loaded, and its cursor stays."""
    try:
        yield
    except Exception as error:
        inner: BaseException | None = error
        while inner is not None:
            if isinstance(inner, LoopError):
                raise inner from None
            inner = inner.__cause__ or inner.__context__
        raise


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
