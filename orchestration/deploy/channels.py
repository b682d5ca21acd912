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
    """Writes the messages of an experiment to a Parquet file for whoever sends them.

    Columns: send_id, experiment_id, creative_id, user_id, subject, channel, scheduled_at. The file appears whole or not at all, and
    the same experiment always gives the same file, so that handing over twice changes nothing.
    """

    name = "handover"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def deliver(self, connection: duckdb.DuckDBPyConnection, experiment_id: str) -> int:
        """Writes the file unless it is there; returns the number of messages."""
        self._folder.mkdir(parents=True, exist_ok=True)
        target = self._folder / f"{experiment_id}.parquet"
        messages = connection.execute(
            "select count(*) from ledger.sends where experiment_id = ? and not is_dry_run", [experiment_id]
        ).fetchone()
        if target.exists() or messages is None or messages[0] == 0:
            return messages[0] if messages else 0
        draft = target.with_suffix(".tmp")
        connection.execute(
            f"""
            copy (
                select sends.send_id, sends.experiment_id, sends.creative_id, sends.user_id, creatives.text as subject,
                    sends.channel, sends.scheduled_at
                from ledger.sends as sends
                inner join ledger.creatives as creatives on sends.creative_id = creatives.creative_id
                where sends.experiment_id = $experiment_id and not sends.is_dry_run
                order by sends.send_id
            ) to '{str(draft).replace("'", "''")}' (format parquet)
            """,
            {"experiment_id": experiment_id},
        )
        os.replace(draft, target)
        return int(messages[0])
