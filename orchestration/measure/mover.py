"""Moves what the receiver kept from the spool into ``raw.inbox``: exactly once, and without the person.

The position in each file is stored in the transaction that stores its records, so a kill at any moment leaves both or neither. Files
are deleted once they are sealed, wholly taken in and older than the policy's days.
"""

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from orchestration.edges.clock import Clock
from orchestration.edges.spool import Damage, Frame, Tail, is_being_written, read_spool, spool_folder, spool_key
from orchestration.edges.warehouse import Warehouse, transaction
from orchestration.measure.deliveries import Delivery, append_deliveries
from orchestration.measure.privacy import Seal
from orchestration.measure.pseudonyms import pseudonym_key
from orchestration.measure.redaction import Redactor, Unreadable

Progress = Callable[[str], None]
_QUARANTINE = pa.schema(
    [("import_id", pa.string()), ("row_number", pa.int64()), ("reason", pa.string()), ("payload", pa.string())]
)


@dataclass(frozen=True, slots=True)
class MoveReport:
    """What one move did.

    Attributes:
        files: Files that held something new.
        records: Deliveries taken in.
        quarantined: Deliveries that no parser could read, and damaged stretches.
        expired: Files deleted because their days were over.
    """

    files: int
    records: int
    quarantined: int
    expired: int


@dataclass(slots=True)
class _Moved:
    """What one file brought."""

    rows: list[dict[str, Any]]
    set_aside: list[dict[str, Any]]
    until: int


def move_spool(warehouse: Warehouse, clock: Clock, keep_days: int, progress: Progress | None = None) -> MoveReport:
    """Takes in everything the spool holds that was not taken in before, file by file in the order they were begun.

    Args:
        keep_days: Days after which a sealed file that was taken in is deleted.
        progress: Told in one line what is being done.

    Raises:
        Refusal: if a file is no spool file, or was written with another key.
        WarehouseLocked: if another process writes to the warehouse.
    """
    tell = progress or (lambda line: None)
    files = sorted(spool_folder(warehouse.folder).glob("*.spool"))
    if not files:
        return MoveReport(0, 0, 0, 0)
    key, people = spool_key(warehouse.folder), pseudonym_key(warehouse.folder)
    redactor, seal = Redactor(people), Seal(people)
    now, moved, records, quarantined, expired = clock.now(), 0, 0, 0, 0
    with warehouse.connect() as connection:
        for path in files:
            # Asked before reading: a file found unlocked has grown its last byte.
            is_sealed = not is_being_written(path)
            offset = _position(connection, path.name)
            if path.stat().st_size > offset:
                found = _read(path, key, offset, redactor, seal, is_sealed=is_sealed)
                with transaction(connection):
                    _store(connection, path.name, offset, found, now)
                moved, records = moved + (found.until > offset), records + len(found.rows)
                quarantined += len(found.set_aside)
                tell(f"{path.name}: {len(found.rows):,} deliveries taken in, {len(found.set_aside):,} quarantined")
            if is_sealed and _begun(path) < now - dt.timedelta(days=keep_days):
                path.unlink()
                expired += 1
    return MoveReport(moved, records, quarantined, expired)


def _position(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    query = "select coalesce(max(until_offset), 0) from raw.spool_positions where spool_file = ?"
    return int(connection.execute(query, [name]).fetchall()[0][0])


def _read(path: Path, key: bytes, offset: int, redactor: Redactor, seal: Seal, *, is_sealed: bool) -> _Moved:
    found = _Moved([], [], offset)
    for stretch in read_spool(path, key, offset):
        match stretch:
            case Frame(first=first, records=records):
                for number, record in enumerate(records, start=first):
                    _take(found, Delivery(path.name, number, record), redactor, seal)
            case Damage(offset=begin, until=end):
                if not is_sealed and end == path.stat().st_size:
                    break  # the writer may be in the middle of it
                reason = "the spool file is damaged here: deliveries that were answered may be lost"
                payload = {"spool_file": path.name, "from_offset": begin, "until_offset": end}
                found.set_aside.append(_aside(path.name, begin, reason, json.dumps(payload)))
            case Tail():
                break  # never answered: its sender got no 2xx and sends again
        found.until = stretch.until
    return found


def _take(found: _Moved, delivery: Delivery, redactor: Redactor, seal: Seal) -> None:
    try:
        found.rows.append(delivery.redacted(redactor))
    except Unreadable as error:
        found.set_aside.append(_aside(delivery.spool_file, delivery.number, str(error), delivery.payload(seal)))


def _aside(spool_file: str, number: int, reason: str, payload: str) -> dict[str, Any]:
    return {"import_id": spool_file, "row_number": number, "reason": reason, "payload": payload}


def _store(connection: duckdb.DuckDBPyConnection, name: str, offset: int, found: _Moved, now: dt.datetime) -> None:
    if found.until == offset:
        return
    append_deliveries(connection, found.rows, now)
    connection.register("set_aside", pa.Table.from_pylist(found.set_aside, schema=_QUARANTINE))
    connection.execute(
        """insert into raw.quarantine by name
        select import_id, row_number, reason, cast(payload as json) as payload, $now as quarantined_at from set_aside""",
        {"now": now},
    )
    connection.execute(
        "insert into raw.spool_positions values (?, ?, ?, ?, ?, ?)",
        [name, offset, found.until, len(found.rows), len(found.set_aside), now],
    )
    connection.unregister("set_aside")


def _begun(path: Path) -> dt.datetime:
    return dt.datetime.strptime(path.name.partition("-")[0], "%Y%m%dT%H%M%S")  # noqa: DTZ007  UTC, as everywhere
