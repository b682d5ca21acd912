"""What became of a file, and the record by which it is known again."""

import datetime as dt
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
from blake3 import blake3

from orchestration.errors import Refusal
from orchestration.measure.mapping import Mapping

Progress = Callable[[str], None]
_BLOCK = 1_000_000


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of a file; rows read = accepted + quarantined + duplicate.

    Attributes:
        import_id: Digest of the file's bytes and its mapping.
        kind: results, units, events, rates or channel_daily.
        subject: The file's name.
        reasons: Reason -> rows quarantined for it, most frequent first.
        already_imported: The file was taken in before; the counts are those of then.
        rows_duplicate: Rows that were there already, in the warehouse or (events) earlier in the file.
    """

    import_id: str
    kind: str
    subject: str
    rows_read: int
    rows_accepted: int
    rows_quarantined: int
    reasons: dict[str, int]
    already_imported: bool
    rows_duplicate: int = 0


class Early(Exception):  # a turn of events, not an error
    """The file holds rows received at or after the instant up to which it was to be taken; nothing was stored."""


class Unfinished(Exception):  # a turn of events, not an error
    """Somebody is still writing the file; nothing was stored."""


def content_of(path: Path) -> str:
    """Digest of a file's bytes; BLAKE3, since its speed is part of that of an intake (https://github.com/BLAKE3-team/BLAKE3-specs).

    Raises:
        OSError: if it cannot be read.
    """
    digest, block = blake3(), memoryview(bytearray(_BLOCK))
    with path.open("rb", buffering=0) as stream:
        while size := stream.readinto(block):
            digest.update(block[:size])
    return digest.hexdigest()


def import_id_of(content: str, mapping: Mapping, identity: str) -> str:
    """The digest by which a file is known.

    Args:
        content: Digest of its bytes, see :func:`content_of`.
        identity: What tells two files of the same bytes apart.
    """
    return hashlib.sha256("\n".join([content, mapping.model_dump_json(), identity]).encode()).hexdigest()


def earlier(connection: duckdb.DuckDBPyConnection, import_id: str, kind: str) -> ImportReport | None:
    """What became of the file when it was taken in before."""
    found = connection.execute(
        "select subject, rows_read, rows_accepted, rows_quarantined from raw.imports where import_id = ?", [import_id]
    ).fetchone()
    if found is None:
        return None
    subject, read, accepted, quarantined = found
    reasons = _reasons(connection, import_id)
    return ImportReport(
        import_id, kind, subject, read, accepted, quarantined, reasons, True, read - accepted - quarantined
    )


def is_withdrawn(connection: duckdb.DuckDBPyConnection, import_id: str) -> bool:
    """Whether an import was taken back."""
    return bool(connection.execute("select 1 from raw.withdrawals where import_id = ?", [import_id]).fetchall())


def record(
    connection: duckdb.DuckDBPyConnection,
    import_id: str,
    kind: str,
    subject: str,
    now: dt.datetime,
    *,
    read: int,
    accepted: int,
    quarantined: int,
) -> ImportReport:
    """Appends the record of a file, in the transaction of its rows."""
    into = "results" if kind == "units" else kind
    connection.execute(
        "insert into raw.imports values (?, ?, ?, ?, ?, ?, ?)",
        [import_id, into, subject, read, accepted, quarantined, now],
    )
    reasons = _reasons(connection, import_id)
    duplicates = read - accepted - quarantined
    return ImportReport(import_id, kind, subject, read, accepted, quarantined, reasons, False, duplicates)


def require_rows(subject: str, read: int, quarantined: int, first: Callable[[], tuple[int, str]]) -> None:
    """Refuses a file that is of no use.

    Args:
        first: Number and reason of the first quarantined row.
    """
    if read == 0:
        raise Refusal(subject, "holds no rows", "Give a file with rows.")
    if read == quarantined:
        row, why = first()
        reason = f"none of its {read} rows can be accepted (row {row}: {why})"
        raise Refusal(subject, reason, "Mend the file, or map its columns otherwise.")


def _reasons(connection: duckdb.DuckDBPyConnection, import_id: str) -> dict[str, int]:
    query = "select reason, count(*) from raw.quarantine where import_id = ? group by 1 order by 2 desc, 1"
    return dict(connection.execute(query, [import_id]).fetchall())
