"""Channels out, behind one Protocol. Nothing is sent unless a program says ``dry_run: false``."""

import os
from pathlib import Path
from typing import Protocol

import duckdb


class Channel(Protocol):
    """Hands the messages of one experiment over; handing over again must not send twice."""

    name: str

    def deliver(self, connection: duckdb.DuckDBPyConnection, experiment_id: str) -> int: ...


class HandoverFiles:
    """Writes the messages of an experiment to a Parquet file for each of its batches, for whoever sends them.

    Columns: send_id, experiment_id, creative_id, user_id, subject, channel, scheduled_at, program, and elements: the tags that the text
    does not show (a format, an incentive), with spaces between them. The file appears whole or not at all, and
    the same batch always gives the same file, so that handing over twice changes nothing.
    """

    name = "handover"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def deliver(self, connection: duckdb.DuckDBPyConnection, experiment_id: str) -> int:
        """Writes the files that are not there; returns the number of messages in all of them."""
        self._folder.mkdir(parents=True, exist_ok=True)
        batches = connection.execute(
            """
            select assignments.batch, count(*)
            from ledger.sends as sends
            inner join ledger.assignments as assignments
                on sends.experiment_id = assignments.experiment_id and sends.user_id = assignments.user_id
            where sends.experiment_id = ? and not sends.is_dry_run
            group by assignments.batch
            order by assignments.batch
            """,
            [experiment_id],
        ).fetchall()
        for batch, _ in batches:
            target = self._folder / (f"{experiment_id}.parquet" if batch == 1 else f"{experiment_id}-{batch}.parquet")
            if not target.exists():
                self._write(connection, experiment_id, batch, target)
        return sum(int(messages) for _, messages in batches)

    def _write(self, connection: duckdb.DuckDBPyConnection, experiment_id: str, batch: int, target: Path) -> None:
        draft = target.with_suffix(".tmp")
        connection.execute(
            f"""
            copy (
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
                order by sends.send_id
            ) to '{str(draft).replace("'", "''")}' (format parquet)
            """,
            {"experiment_id": experiment_id, "batch": batch},
        )
        os.replace(draft, target)
