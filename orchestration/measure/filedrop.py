"""Newline-delimited JSON files of canonical events, taken into ``raw.events`` under their contract."""

import codecs
import datetime as dt
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from orchestration.edges.warehouse import Warehouse, transaction
from orchestration.errors import Refusal
from orchestration.measure import documents, wholesale
from orchestration.measure.contracts import Contract, read_contract
from orchestration.measure.lines import lines_at, open_bytes
from orchestration.measure.mapping import EventsMapping, Mapping
from orchestration.measure.privacy import Seal
from orchestration.measure.pseudonyms import hold_key, pseudonym_key
from orchestration.measure.reading import is_lines, place_of, unreadable
from orchestration.measure.report import (
    Early,
    ImportReport,
    Progress,
    Unfinished,
    content_of,
    earlier,
    import_id_of,
    record,
    require_rows,
)

# Bytes of one line, and of what a thread reads at once: the engine copies once more what holds fewer rows than it keeps together.
_LONGEST = 64_000_000
_LOOK = 0.5  # seconds between two looks at how far the engine is
_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Digest(threading.Thread):
    """Digests a file's bytes beside the engine's reading of them."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self._path, self._digest = path, ""
        self._error: OSError | None = None
        self.start()

    def run(self) -> None:
        try:
            self._digest = content_of(self._path)
        except OSError as error:
            self._error = error

    def result(self) -> str:
        """The digest, once it is known."""
        self.join()
        if self._error:
            raise self._error
        return self._digest


def holds_documents(path: Path, mapping: Mapping) -> bool:
    """Whether a file holds canonical events as lines of JSON, with nothing to rename."""
    return isinstance(mapping, EventsMapping) and not mapping.sources() and not mapping.aliases and is_lines(path)


def take_documents(
    warehouse: Warehouse,
    path: Path,
    mapping: Mapping,
    now: dt.datetime,
    tell: Progress,
    *,
    identity: str,
    may_be_empty: bool,
    until: dt.datetime | None,
) -> ImportReport:
    """Takes a file of lines into ``raw.events``; arguments, refusals and turns as in :func:`intake.take`."""
    try:
        if path.stat().st_size == 0:
            raise Refusal(path.name, "is empty", "Give a file with rows.")
        digest = Digest(path)
        warehouse.migrate()
        with warehouse.connect() as connection:
            if _met_before(connection, path.name) and (known := _known(connection, digest, mapping, identity)):
                tell(f"{path.name}: taken in before, nothing to do")
                return known
            contract = read_contract("event")
            is_opaque = not mapping.pseudonymise
            stage_file(connection, path, contract, now, warehouse.folder, is_opaque=is_opaque, tell=tell)
            with transaction(connection):
                if known := _known(connection, digest, mapping, identity):
                    return known
                if until is not None and _holds_later(connection, until):
                    raise Early
                import_id = import_id_of(digest.result(), mapping, identity)
                tell(f"{path.name}: storing")
                found = documents.append(connection, contract, import_id, now, is_opaque=is_opaque)
                if not may_be_empty:
                    require_rows(path.name, found.read, len(found.refused), lambda: _first(path, found))
                set_aside(connection, path, found.refused, import_id, now, warehouse.folder)
                counts = {"read": found.read, "accepted": found.accepted, "quarantined": len(found.refused)}
                report = record(connection, import_id, mapping.kind, path.name, now, **counts)
    except OSError as error:
        if error.filename is None or Path(error.filename) != path:
            raise
        raise Refusal(str(path), f"cannot be read ({error.strerror})", "Check the path and its permissions.") from error
    tell(f"{path.name}: {report.rows_accepted:,} rows accepted, {report.rows_quarantined:,} quarantined")
    return report


def _met_before(connection: duckdb.DuckDBPyConnection, subject: str) -> bool:
    query = "select count(*) from raw.imports where subject = ?"
    return bool(connection.execute(query, [subject]).fetchall()[0][0])


def _had_faults(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the last file of events had lines that could not be taken: whoever writes such files goes on to."""
    query = "select rows_quarantined > 0 from raw.imports where kind = 'events' order by imported_at desc limit 1"
    return any(row[0] for row in connection.execute(query).fetchall())


def _known(
    connection: duckdb.DuckDBPyConnection, digest: Digest, mapping: Mapping, identity: str
) -> ImportReport | None:
    return earlier(connection, import_id_of(digest.result(), mapping, identity), mapping.kind)


def _holds_later(connection: duckdb.DuckDBPyConnection, until: dt.datetime) -> bool:
    query = "select count(*) from staged where reason is null and received_at >= ?"
    return bool(connection.execute(query, [until]).fetchall()[0][0])


def _first(path: Path, found: documents.Judged) -> tuple[int, str]:
    place, reason = found.refused[0]
    return next(lines_at(path, [place]))[1], reason


def stage_file(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    contract: Contract,
    now: dt.datetime,
    folder: Path,
    *,
    is_opaque: bool,
    tell: Progress,
) -> None:
    """Judges every line of a file, see :func:`documents.stage`; outside of a transaction, which a failed reading would end.

    Args:
        folder: Holds the pseudonyms' key.
        tell: Told how far the reading is.

    Raises:
        Refusal: if the file is not text in UTF-8, is cut off, or has a line longer than 64 MB.
        Unfinished: if it changed meanwhile.
    """
    before = path.stat()
    _require_utf8(path)
    hold_key(connection, pseudonym_key(folder))
    options = f"format = 'newline_delimited', ignore_errors = true, maximum_object_size = {_LONGEST}"
    source = f"select json from read_json_objects({place_of(path)}, {options})"
    try:
        with _progress(connection, path.name, tell):
            ways = {"is_opaque": is_opaque, "expects_faults": _had_faults(connection)}
            if not wholesale.stage(connection, path, source, contract, now, longest=_LONGEST, **ways):
                documents.stage(connection, source, contract, now, is_opaque=is_opaque)
    except (duckdb.IOException, duckdb.InvalidInputException) as error:
        raise unreadable(path, error) from error
    after = path.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise Unfinished


def set_aside(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    refused: list[tuple[int, str]],
    import_id: str,
    now: dt.datetime,
    folder: Path,
) -> None:
    """Quarantines lines, each with its number, the reason and its sealed original."""
    seal, reasons = Seal(pseudonym_key(folder)), dict(refused)
    found = [
        (number, reasons[place], seal.payload(line)) for place, number, line in lines_at(path, [p for p, _ in refused])
    ]
    if len(found) != len(refused):
        raise Unfinished
    quarantine(connection, found, import_id, now)


def quarantine(
    connection: duckdb.DuckDBPyConnection, rows: list[tuple[int, str, str]], import_id: str, now: dt.datetime
) -> None:
    """Appends rows (number, reason, payload as JSON) to ``raw.quarantine``."""
    numbers, reasons, payloads = zip(*rows, strict=True) if rows else ((), (), ())
    table = pa.table(
        {
            "row_number": pa.array(numbers, pa.int64()),
            "reason": pa.array(reasons, pa.string()),
            "payload": pa.array(payloads, pa.string()),
        }
    )
    connection.register("found_faults", table)
    connection.execute(
        """insert into raw.quarantine by name
        select $import_id as import_id, row_number, reason, cast(payload as json) as payload, $now as quarantined_at
        from found_faults""",
        {"import_id": import_id, "now": now},
    )
    connection.unregister("found_faults")


def _require_utf8(path: Path) -> None:
    try:
        with open_bytes(path) as stream:
            start = stream.read(1_000_000)
    except (OSError, EOFError) as error:
        raise unreadable(path, error) from error
    if start.startswith(_MARKS) or b"\0" in start:
        raise Refusal(path.name, "is not text in UTF-8", "Write it again in UTF-8 (it looks like UTF-16).")


@contextmanager
def _progress(connection: duckdb.DuckDBPyConnection, name: str, tell: Progress) -> Iterator[None]:
    """Tells how far a query is, from a thread of its own."""
    done = threading.Event()

    def look() -> None:
        while not done.wait(_LOOK):
            if (share := connection.query_progress()) > 0:
                tell(f"{name}: checking, {min(share, 100):.0f} % read")

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
