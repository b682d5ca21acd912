"""Channels out, behind one Protocol. Nothing is sent unless a program says ``dry_run: false``."""

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

import duckdb

_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.-]")


class Channel(Protocol):
    """Hands the messages of one experiment over; handing over again must not send twice."""

    name: str

    def deliver(self, connection: duckdb.DuckDBPyConnection, experiment_id: str) -> int: ...


class HandoverFiles:
    """Writes the messages of an experiment for whoever sends them: a Parquet file for each batch, and beside it a CSV for each segment.

    Columns: send_id, experiment_id, creative_id, user_id, subject, channel, scheduled_at, program, and elements: the tags that the text
    does not show (a format, an incentive), with spaces between them. The Parquet file appears whole or not at all, after its CSV files,
    and the same batch always gives the same files, so that handing over twice changes nothing.

    Args:
        left_to_senders: Channels that have a sender: `loop send` takes their messages from the ledger, and nobody gets them as files.
    """

    name = "handover"

    def __init__(self, folder: Path, left_to_senders: Collection[str] = ()) -> None:
        self._folder, self._left = folder, frozenset(left_to_senders)

    def deliver(self, connection: duckdb.DuckDBPyConnection, experiment_id: str) -> int:
        """Writes the files that are not there; returns the number of messages in all of them."""
        self._folder.mkdir(parents=True, exist_ok=True)
        batches = connection.execute(
            """
            select assignments.batch, any_value(sends.channel), count(*)
            from ledger.sends as sends
            inner join ledger.assignments as assignments
                on sends.experiment_id = assignments.experiment_id and sends.user_id = assignments.user_id
            where sends.experiment_id = ? and not sends.is_dry_run
            group by assignments.batch
            order by assignments.batch
            """,
            [experiment_id],
        ).fetchall()
        for batch, channel, _ in batches:
            if channel in self._left:
                continue
            target = self._folder / (f"{experiment_id}.parquet" if batch == 1 else f"{experiment_id}-{batch}.parquet")
            if not target.exists():
                self._write(connection, experiment_id, batch, target)
        return sum(int(messages) for _, _, messages in batches)

    def _write(self, connection: duckdb.DuckDBPyConnection, experiment_id: str, batch: int, target: Path) -> None:
        messages = """
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
            where sends.experiment_id = $experiment_id and not sends.is_dry_run and assignments.batch = $batch
        """
        which = {"experiment_id": experiment_id, "batch": batch}
        segments = connection.execute(
            "select distinct segment from ledger.assignments where experiment_id = $experiment_id and batch = $batch",
            which,
        ).fetchall()
        for (segment,) in segments:
            path = target.with_name(f"{target.stem}-{_IN_A_NAME.sub('_', segment)}.csv")
            _copied(
                connection,
                f"{messages} and assignments.segment = $segment",
                {**which, "segment": segment},
                path,
                "csv, header",
            )
        _copied(connection, messages, which, target, "parquet")


def _copied(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, object], target: Path, form: str
) -> None:
    draft = target.with_suffix(".tmp")
    name = str(draft).replace("'", "''")
    connection.execute(f"copy ({query} order by sends.send_id) to '{name}' (format {form})", dict(parameters))
    os.replace(draft, target)
