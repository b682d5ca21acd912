"""Between the ledger and the outbox: what is to be sent goes one way, what became of it the other, each of it once."""

import datetime as dt
import hashlib
import itertools
from collections.abc import Collection, Sequence
from pathlib import Path

import duckdb

from orchestration.deploy.channels import HANDOVER, file_of, recorded_handovers
from orchestration.deploy.outbox import Outbox
from orchestration.deploy.queued import Message
from orchestration.edges.warehouse import transaction

_BATCH = 10_000


def queue_people(
    connection: duckdb.DuckDBPyConnection,
    outbox: Outbox,
    folder: Path,
    channels: Collection[str],
    now: dt.datetime,
    *,
    expiry_hours: int,
) -> tuple[int, int]:
    """Queues the messages of the ledger that go to people; returns how many were new, and how many were handed over as files.

    Left out: dry runs, the holdout, what has expired, what an earlier outbox had, and batches that were handed over as files, which
    somebody else sends.

    Args:
        folder: The warehouse folder.
    """
    recorded = recorded_handovers(connection)
    cursor = connection.execute(
        """
        select sends.send_id, experiments.program, sends.experiment_id, sends.creative_id, arms.role, sends.user_id,
            assignments.segment, sends.channel, creatives.text, sends.scheduled_at, assignments.batch
        from ledger.sends as sends
        inner join ledger.assignments as assignments
            on sends.experiment_id = assignments.experiment_id
            and sends.user_id = assignments.user_id
            and sends.creative_id = assignments.creative_id
        inner join ledger.experiments as experiments on sends.experiment_id = experiments.experiment_id
        inner join ledger.arms as arms
            on sends.experiment_id = arms.experiment_id
            and assignments.segment = arms.segment
            and sends.creative_id = arms.creative_id
        inner join ledger.creatives as creatives on sends.creative_id = creatives.creative_id
        where not sends.is_dry_run
            and sends.creative_id <> 'holdout'
            and sends.channel in (select unnest($channels))
            and sends.scheduled_at > $oldest
            and not exists (
                select 1 from ledger.send_events as known
                where known.send_id = sends.send_id and known.outbox_id <> $outbox_id
            )
        qualify row_number() over (partition by sends.send_id order by sends.recorded_at) = 1
        order by sends.scheduled_at, sends.send_id
        """,
        {
            "channels": list(channels),
            "oldest": now - dt.timedelta(hours=expiry_hours),
            "outbox_id": outbox.outbox_id,
        },
    )
    added = left = 0
    while rows := cursor.fetchmany(_BATCH):
        messages = [
            Message(*row[:-1])
            for row in rows
            if (row[2], row[-1]) not in recorded and not _lies_there(folder, row[2], row[-1])
        ]
        added += outbox.add(messages, now)
        left += len(rows) - len(messages)
    return added, left


def queue_posts(
    connection: duckdb.DuckDBPyConnection,
    outbox: Outbox,
    channels: Collection[str],
    now: dt.datetime,
    *,
    expiry_hours: int,
) -> int:
    """Queues one message for each creative that was launched in a channel of posts or ads; returns how many were new."""
    rows = connection.execute(
        """
        select distinct experiments.program, arms.experiment_id, arms.creative_id, arms.role, arms.segment,
            json_extract_string(programs.spec, '$.channel') as channel, creatives.text, experiments.starts_at
        from ledger.arms as arms
        inner join ledger.experiments as experiments on arms.experiment_id = experiments.experiment_id
        inner join (
            select program, max_by(spec, recorded_at) as spec from ledger.programs group by program
        ) as programs on experiments.program = programs.program
        inner join ledger.creatives as creatives on arms.creative_id = creatives.creative_id
        where arms.role <> 'holdout'
            and json_extract_string(programs.spec, '$.channel') in (select unnest($channels))
            and not cast(json_extract_string(programs.spec, '$.dry_run') as boolean)
            and experiments.starts_at > $oldest
        order by experiments.starts_at, arms.experiment_id, arms.creative_id
        """,
        {"channels": list(channels), "oldest": now - dt.timedelta(hours=expiry_hours)},
    ).fetchall()
    known = {
        row[0]
        for row in connection.execute(
            "select distinct send_id from ledger.send_events where outbox_id <> ?", [outbox.outbox_id]
        ).fetchall()
    }
    messages = [_post(row) for row in rows]
    return outbox.add([message for message in messages if message.send_id not in known], now)


def copy_events(connection: duckdb.DuckDBPyConnection, outbox: Outbox, now: dt.datetime) -> int:
    """Copies what is new in the outbox to ``ledger.send_events``; returns the number of events."""
    row = connection.execute(
        "select coalesce(max(sequence), 0) from ledger.send_events where outbox_id = ?", [outbox.outbox_id]
    ).fetchone()
    events = outbox.events_after(int(row[0]) if row else 0)
    copied = 0
    with transaction(connection):
        while batch := list(itertools.islice(events, _BATCH)):
            columns = list(zip(*batch, strict=True))
            connection.execute(
                """
                insert into ledger.send_events
                select $outbox_id, unnest($sequence), unnest($send_id), unnest($state), unnest($occurred_at), unnest($sender),
                    unnest($reference), unnest($detail), $now
                """,
                {
                    "outbox_id": outbox.outbox_id,
                    "now": now,
                    **{
                        name: list(column)
                        for name, column in zip(
                            ("sequence", "send_id", "state", "occurred_at", "sender", "reference", "detail"),
                            columns,
                            strict=True,
                        )
                    },
                },
            )
            copied += len(batch)
    return copied


def seen_in(connection: duckdb.DuckDBPyConnection, send_ids: Collection[str]) -> set[str]:
    """Of these messages, those of which a channel has told the warehouse anything: they were sent."""
    try:
        rows = connection.execute(
            "select distinct send_id from intermediate.int_channels__events where send_id in (select unnest($send_ids))",
            {"send_ids": list(send_ids)},
        ).fetchall()
    except duckdb.CatalogException:  # nothing was built yet
        return set()
    return {row[0] for row in rows}


def _lies_there(folder: Path, experiment_id: str, batch: int) -> bool:
    """Whether there is a file of a batch: what was handed over before there were records has no other."""
    return (folder / HANDOVER / file_of(experiment_id, batch)).exists()


def _post(row: Sequence[object]) -> Message:
    program, experiment_id, creative_id, role, segment, channel, text, starts_at = row
    send_id = hashlib.sha256(f"{experiment_id}/{creative_id}/{segment}".encode()).hexdigest()
    return Message(
        send_id,
        str(program),
        str(experiment_id),
        str(creative_id),
        str(role),
        None,
        str(segment),
        str(channel),
        str(text),
        starts_at,  # type: ignore[arg-type]  # a timestamp of the ledger
    )
