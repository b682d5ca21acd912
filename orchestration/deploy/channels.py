"""Channels out, behind one Protocol. Nothing is sent unless a program says ``dry_run: false``."""

import datetime as dt
import hashlib
import os
import re
import unicodedata
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

import duckdb

HANDOVER = "outbox"  # the folder of files for hand-over
_NOT_IN_A_NAME = re.compile(r"[^\w.-]")  # letters of any script may stand in one
_LONGEST_NAME = 40  # of a segment; a file system takes 255 bytes for the whole
# What a sender was ever given is the sender's: a channel that loses its sender does not send it again.
_NOT_SENT = "sends.send_id not in (select send_id from ledger.send_events)"


class Channel(Protocol):
    """Hands the messages of one experiment over; handing over again must not send twice."""

    name: str

    def deliver(self, connection: duckdb.DuckDBPyConnection, experiment_id: str, now: dt.datetime) -> int: ...


def file_of(experiment_id: str, batch: int) -> str:
    """Name of the Parquet file of a batch."""
    return f"{experiment_id}.parquet" if batch == 1 else f"{experiment_id}-{batch}.parquet"


def recorded_handovers(connection: duckdb.DuckDBPyConnection) -> set[tuple[str, int]]:
    """Experiments and batches that were handed over as files, wherever the files are now."""
    return set(connection.execute("select experiment_id, batch from ledger.handovers").fetchall())


class HandoverFiles:
    """Writes the messages of an experiment for whoever sends them: a Parquet file for each batch, and beside it a CSV for each segment.

    Columns: send_id, experiment_id, creative_id, user_id, subject, channel, scheduled_at, program, and elements: the tags that the text
    does not show (a format, an incentive), with spaces between them. Every file appears once, whole, the Parquet file after its CSV
    files; one that was taken out of the folder does not come back.

    All files of a batch are written under hidden names, then ``ledger.handovers`` says that it is handed over, then they get their
    names. A run that ends before the record begins the batch anew, and nobody has seen a file of it; one that ends after it left
    hidden files, and the next run gives them the names that are missing.

    Args:
        left_to_senders: Channels that have a sender: `loop send` takes their messages from the ledger, and nobody gets them as files.
    """

    name = "handover"

    def __init__(self, folder: Path, left_to_senders: Collection[str] = ()) -> None:
        self._folder, self._left = folder, frozenset(left_to_senders)

    def deliver(self, connection: duckdb.DuckDBPyConnection, experiment_id: str, now: dt.datetime) -> int:
        """Writes the files of the batches that were not handed over; returns the number of messages in all batches."""
        self._folder.mkdir(parents=True, exist_ok=True)
        batches = connection.execute(
            f"""
            select assignments.batch, any_value(sends.channel), count(*), count(*) filter (where {_NOT_SENT})
            from ledger.sends as sends
            inner join ledger.assignments as assignments
                on sends.experiment_id = assignments.experiment_id and sends.user_id = assignments.user_id
            where sends.experiment_id = ? and not sends.is_dry_run
            group by assignments.batch
            order by assignments.batch
            """,
            [experiment_id],
        ).fetchall()
        recorded = recorded_handovers(connection)
        for batch, channel, _, unsent in batches:
            target = self._folder / file_of(experiment_id, batch)
            if (experiment_id, batch) in recorded:
                self._show(connection, experiment_id, batch, target)
            elif target.exists():  # handed over before there were records
                _record(connection, experiment_id, batch, now)
            elif unsent and channel not in self._left:
                self._draft(connection, experiment_id, batch, target)
                _record(connection, experiment_id, batch, now)
                self._show(connection, experiment_id, batch, target)
        return sum(int(messages) for _, _, messages, _ in batches)

    def _files(
        self, connection: duckdb.DuckDBPyConnection, experiment_id: str, batch: int, target: Path
    ) -> dict[str, Path]:
        """Segment -> its CSV file."""
        rows = connection.execute(
            "select distinct segment from ledger.assignments where experiment_id = ? and batch = ? order by segment",
            [experiment_id, batch],
        ).fetchall()
        segments = [segment for (segment,) in rows]
        return {segment: target.with_name(f"{target.stem}-{_name_of(segment, segments)}.csv") for segment in segments}

    def _draft(self, connection: duckdb.DuckDBPyConnection, experiment_id: str, batch: int, target: Path) -> None:
        messages = f"""
            select sends.send_id, sends.experiment_id, sends.creative_id, sends.user_id, creatives.text as subject,
                sends.channel, sends.scheduled_at, creatives.program, coalesce(elements.tags, '') as elements
            from ledger.sends as sends
            inner join ledger.assignments as assignments
                on sends.experiment_id = assignments.experiment_id and sends.user_id = assignments.user_id
            inner join ledger.creatives as creatives on sends.creative_id = creatives.creative_id
            left join (
                select creative_id, string_agg(tag, ' ' order by tag) as tags
                from ledger.creative_tags where source = 'design' group by creative_id
            ) as elements on sends.creative_id = elements.creative_id
            where sends.experiment_id = $experiment_id and not sends.is_dry_run and assignments.batch = $batch and {_NOT_SENT}
        """
        which = {"experiment_id": experiment_id, "batch": batch}
        for segment, path in self._files(connection, experiment_id, batch, target).items():
            _copied(
                connection,
                f"{messages} and assignments.segment = $segment",
                {**which, "segment": segment},
                path,
                "csv, header",
            )
        _copied(connection, messages, which, target, "parquet")

    def _show(self, connection: duckdb.DuckDBPyConnection, experiment_id: str, batch: int, target: Path) -> None:
        """Gives the hidden files their names: those of which there is one still."""
        for path in (*self._files(connection, experiment_id, batch, target).values(), target):
            if _hidden(path).exists():
                os.replace(_hidden(path), path)


def _record(connection: duckdb.DuckDBPyConnection, experiment_id: str, batch: int, now: dt.datetime) -> None:
    connection.execute("insert into ledger.handovers values (?, ?, ?)", [experiment_id, batch, now])


def _name_of(segment: str, segments: Collection[str]) -> str:
    """A segment in the name of a file: as it is, or with a digest after ``~`` where another segment could come to the same name.

    That is where signs had to be replaced, where a file system that does not tell upper from lower case would take two for one, and
    where it begins like the number of a batch. No name that stays as it is has a ``~``.
    """
    name = _NOT_IN_A_NAME.sub("_", segment)[:_LONGEST_NAME]
    alike = sum(_cased(other) == _cased(segment) for other in segments)
    if name == segment and alike == 1 and not re.match(r"\d+-", segment):
        return name
    return f"{name}~{hashlib.sha256(segment.encode()).hexdigest()[:8]}"


def _cased(segment: str) -> str:
    return unicodedata.normalize("NFKC", segment).casefold()


def _hidden(path: Path) -> Path:
    """Where a file is until it is handed over: a name that ``*`` does not match."""
    return path.with_name(f".{path.name}.tmp")


def _copied(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, object], target: Path, form: str
) -> None:
    name = str(_hidden(target)).replace("'", "''")
    connection.execute(f"copy ({query} order by sends.send_id) to '{name}' (format {form})", dict(parameters))
    with _hidden(target).open("rb") as stream:
        os.fsync(stream.fileno())  # the record must not outlive it
