"""What outboxes had that are no longer here, by their events' copy in the ledger: what they sent counts, what waited in them is told.

Nothing of theirs is queued again: the copy is made at the end of a run, so the last thing known of a message need not be the last that
happened to it.
"""

import datetime as dt
from collections.abc import Collection

import duckdb

from orchestration.deploy.outbox import NAME
from orchestration.deploy.queued import Sent

_EVER = dt.datetime.fromisoformat("1970-01-01T00:00:00")
_LAST = """
    with last as (
        select send_id, arg_max(state, (occurred_at, sequence)) as state, arg_max(detail, (occurred_at, sequence)) as detail,
            max(occurred_at) as changed_at, max(occurred_at) filter (state = 'attempted') as attempted_at
        from ledger.send_events
        where outbox_id <> $outbox_id and occurred_at > $since
        group by send_id
    ),
    sends as (
        select send_id, any_value(user_id) as user_id, any_value(experiment_id) as experiment_id, min(scheduled_at) as scheduled_at
        from ledger.sends
        where send_id in (select send_id from last)
        group by send_id
    )
"""


def sent_earlier(
    connection: duckdb.DuckDBPyConnection, outbox_id: str, user_ids: Collection[str], since: dt.datetime
) -> dict[str, list[Sent]]:
    """Messages that people got, or may have got, since then from other outboxes than this; see :meth:`Outbox.sent_since`."""
    rows = connection.execute(
        _LAST
        + """
        select sends.user_id, experiments.program, coalesce(last.attempted_at, last.changed_at), sends.scheduled_at
        from last
        inner join sends on last.send_id = sends.send_id
        inner join ledger.experiments as experiments on sends.experiment_id = experiments.experiment_id
        where sends.user_id in (select unnest($user_ids))
            and (last.state in ('attempted', 'accepted', 'unknown') or (last.state = 'resolved' and last.detail like 'sent:%'))
        """,
        {"outbox_id": outbox_id, "since": since, "user_ids": list(user_ids)},
    ).fetchall()
    found: dict[str, list[Sent]] = {}
    for user_id, program, at, scheduled_at in rows:
        found.setdefault(user_id, []).append(Sent(program, at, scheduled_at))
    return found


def left_earlier(connection: duckdb.DuckDBPyConnection, outbox_id: str, oldest: dt.datetime) -> int:
    """Number of messages that waited or were in doubt in other outboxes than this, and whose time is not over.

    Args:
        outbox_id: Of the outbox that is here; empty if there is none.
        oldest: What was due before has expired.
    """
    row = connection.execute(
        _LAST
        + """
        select count(*)
        from last left join sends on last.send_id = sends.send_id
        where coalesce(sends.scheduled_at, last.changed_at) > $oldest
            and (
                last.state in ('queued', 'deferred', 'attempted', 'unknown')
                or (last.state = 'resolved' and last.detail like 'again:%')
            )
        """,
        {"outbox_id": outbox_id, "since": _EVER, "oldest": oldest},
    ).fetchone()
    return int(row[0]) if row else 0


def left_behind(messages: int) -> str:
    """What to say of messages that :func:`left_earlier` found."""
    return (
        f"{messages:,} messages waited in an outbox that is no longer here and are not sent: put {NAME} back where it was, "
        "or let their time pass"
    )
