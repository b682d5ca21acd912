"""The outbox: every message's way to its channel, as events that are never changed, in a file of its own beside the warehouse.

    queued -> attempted -> accepted | refused | deferred -> attempted ...
                        -> unknown -> resolved (sent | not_sent | again)
    queued -> withheld

An attempt is on disk before the channel is called, so whatever a kill leaves behind is either untouched or in doubt, never forgotten.

SQLite in WAL mode and not DuckDB, which admits one writing process, or a log of our own, which would need an index: sending lasts hours
while the loop measures and builds, and each attempt is a small durable write that finds one row by its key. One transaction keeps the
outcome of a call together with the attempt of the next, so a call costs one flush. The ledger gets a copy in bulk (``posting.py``).
No address ever gets here.
"""

import datetime as dt
import os
import secrets
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, fields
from pathlib import Path
from typing import Self

from orchestration.deploy.queued import Event, InDoubt, Message, Resolution, Sent, State
from orchestration.edges.locks import alone
from orchestration.errors import Refusal

NAME = "outbox.sqlite"
_AFTER: dict[Resolution, State] = {"sent": "accepted", "not_sent": "refused", "again": "queued"}
_SCHEMA = """
create table if not exists about (outbox_id text not null);
create table if not exists messages (
    send_id text primary key, program text not null, experiment_id text not null, creative_id text not null, role text not null,
    user_id text, segment text not null, channel text not null, text text not null, scheduled_at text not null,
    state text not null, due_at text not null, changed_at text not null, attempted_at text,
    first_attempted_at text
) without rowid;
create index if not exists messages_due on messages (channel, state, due_at);
create index if not exists messages_by_person on messages (user_id, changed_at);
create table if not exists events (
    sequence integer primary key autoincrement, send_id text not null, state text not null, at text not null,
    sender text, reference text, detail text
);
create index if not exists events_by_message on events (send_id);
create trigger if not exists events_stay before update on events begin select raise(abort, 'events are never changed'); end;
create trigger if not exists events_last before delete on events begin select raise(abort, 'events are never deleted'); end;
"""


class Outbox:
    """The outbox of a warehouse folder.

    Raises:
        Refusal: if the file is no outbox.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._start(sqlite3.connect(path, isolation_level=None, timeout=30), str(path))
        self.path = path

    def _start(self, connection: sqlite3.Connection, subject: str) -> None:
        self._connection = connection
        try:
            self._connection.execute("pragma journal_mode = wal")
            self._connection.execute("pragma synchronous = full")
            self._connection.executescript(_SCHEMA)
            with self._transaction():
                self._connection.execute(
                    "insert into about select ? where not exists (select 1 from about)", [secrets.token_hex(8)]
                )
        except sqlite3.DatabaseError as error:
            raise Refusal(
                subject,
                f"is no outbox ({error})",
                "Move it away and run it again; what only it had is told and not sent.",
            ) from error
        self.outbox_id: str = self._connection.execute("select outbox_id from about").fetchone()[0]

    def rehearsal(self) -> Self:
        """A copy in memory, on which a dry run may do everything."""
        copy = sqlite3.connect(":memory:", isolation_level=None)
        self._connection.backup(copy)
        made = type(self).__new__(type(self))
        made.path = self.path
        made._start(copy, "the copy of the outbox")
        return made

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Holds the right to send: one process at a time, and free again the moment it dies.

        Raises:
            WarehouseLocked: if another process sends.
        """
        with alone(self.path.with_suffix(".lock"), str(self.path), "is sending"):
            yield

    def add(self, messages: Iterable[Message], now: dt.datetime) -> int:
        """Queues the messages that are not there yet; returns how many those were."""
        added = 0
        with self._transaction():
            for message in messages:
                at = text_of(message.scheduled_at)
                values = [*astuple(message)[:-1], at, "queued", at, text_of(now)]
                marks = ", ".join("?" for _ in values)
                if self._connection.execute(
                    f"insert or ignore into messages values ({marks}, null, null)", values
                ).rowcount:
                    self._write(Event(message.send_id, "queued"), now)
                    added += 1
        return added

    def note(self, events: Sequence[Event], now: dt.datetime) -> None:
        """Makes events durable together, before it returns.

        A channel that puts off the only attempt there was does not have the message; of earlier ones that says nothing.
        """
        with self._transaction():
            for event in events:
                self._write(event, now)
                self._connection.execute(
                    """
                    update messages
                    set state = :state, changed_at = :now, due_at = coalesce(:due_at, due_at),
                        attempted_at = case when :state = 'attempted' then :now else attempted_at end,
                        first_attempted_at = case
                            when :state = 'attempted' then coalesce(first_attempted_at, :now)
                            when :state = 'deferred' and :sender is not null and first_attempted_at = attempted_at then null
                            else first_attempted_at end
                    where send_id = :send_id
                    """,
                    {
                        "state": _AFTER[_resolution(event)] if event.state == "resolved" else event.state,
                        "now": text_of(now),
                        "sender": event.sender,
                        "due_at": event.due_at and text_of(event.due_at),
                        "send_id": event.send_id,
                    },
                )

    def recover(self, now: dt.datetime) -> int:
        """Puts in doubt what a process that died left attempted; only for the holder of :meth:`sending`."""
        cut_off = self._connection.execute("select send_id from messages where state = 'attempted'").fetchall()
        self.note([Event(row[0], "unknown", "the sender ended during the call") for row in cut_off], now)
        return len(cut_off)

    def due(
        self, channels: Collection[str], now: dt.datetime, most: int, without: Collection[str] = ()
    ) -> list[Message]:
        """Messages that may be tried now, the longest due first; ``without`` those of some programs."""
        marks, others = (", ".join("?" for _ in names) for names in (channels, without))
        return self._messages(
            f"""
            where channel in ({marks}) and state in ('queued', 'deferred') and due_at <= ? and program not in ({others})
            order by due_at, send_id limit ?
            """,
            [*channels, text_of(now), *without, most],
        )

    def programs(self) -> list[str]:
        """Programs with messages that wait."""
        rows = self._connection.execute(
            "select distinct program from messages where state in ('queued', 'deferred') order by program"
        )
        return [row[0] for row in rows]

    def next_due(self, channels: Collection[str]) -> dt.datetime | None:
        """When the next message may be tried; None if none waits."""
        marks = ", ".join("?" for _ in channels)
        row = self._connection.execute(
            f"select min(due_at) from messages where channel in ({marks}) and state in ('queued', 'deferred')",
            [*channels],
        ).fetchone()
        return time_of(row[0]) if row[0] else None

    def in_doubt(self) -> list[InDoubt]:
        """Messages that may or may not have been sent, the oldest first."""
        found = []
        for message in self._messages("where state = 'unknown' order by attempted_at, send_id", []):
            at, first, sender, detail = self._connection.execute(
                """
                select attempted_at, first_attempted_at,
                    (select sender from events where send_id = messages.send_id and sender is not null order by sequence desc limit 1),
                    (select detail from events where send_id = messages.send_id and state = 'unknown' order by sequence desc limit 1)
                from messages where send_id = ?
                """,
                [message.send_id],
            ).fetchone()
            found.append(InDoubt(message, time_of(at), time_of(first), sender, detail))
        return found

    def first_attempts(self, send_ids: Collection[str]) -> dict[str, dt.datetime]:
        """When messages were first tried since they were last known for sure not to have been sent; those never tried are left out."""
        found = {}
        for send_id in send_ids:
            row = self._connection.execute(
                "select first_attempted_at from messages where send_id = ? and first_attempted_at is not null",
                [send_id],
            ).fetchone()
            if row:
                found[send_id] = time_of(row[0])
        return found

    def counts(self) -> dict[str, int]:
        """Number of messages by state."""
        return dict(self._connection.execute("select state, count(*) from messages group by state order by state"))

    def reasons(self) -> list[tuple[str, str, int]]:
        """Why messages were withheld, refused or deferred: state, reason and number."""
        return self._connection.execute(
            """
            select events.state, coalesce(events.detail, 'no reason given'), count(*)
            from events inner join messages on events.send_id = messages.send_id and events.state = messages.state
            where events.state in ('withheld', 'refused', 'deferred')
                and events.sequence = (select max(latest.sequence) from events as latest where latest.send_id = messages.send_id)
            group by 1, 2 order by 3 desc, 2
            """
        ).fetchall()

    def sent_since(self, user_ids: Collection[str], since: dt.datetime) -> dict[str, list[Sent]]:
        """Messages that each person got, or may have got, since then, from any program."""
        found: dict[str, list[Sent]] = {}
        for user_id in user_ids:  # each a look into the index; a list of thousands of marks would not be faster
            rows = self._connection.execute(
                """
                select program, attempted_at, changed_at, scheduled_at from messages
                where user_id = ? and changed_at > ? and state in ('attempted', 'accepted', 'unknown')
                """,
                [user_id, text_of(since)],
            )
            found[user_id] = [Sent(row[0], time_of(row[1] or row[2]), time_of(row[3])) for row in rows]
        return found

    def events_after(
        self, sequence: int
    ) -> Iterator[tuple[int, str, str, dt.datetime, str | None, str | None, str | None]]:
        """Events in their order: sequence, send_id, state, at, sender, reference, detail."""
        for row in self._connection.execute("select * from events where sequence > ? order by sequence", [sequence]):
            yield (row[0], row[1], row[2], time_of(row[3]), row[4], row[5], row[6])

    def resolve(self, send_id: str, resolution: Resolution, detail: str, now: dt.datetime) -> None:
        """Settles a message in doubt.

        Raises:
            Refusal: if the message is not in doubt.
        """
        if not self._messages("where send_id = ? and state = 'unknown'", [send_id]):
            raise Refusal(f"message {send_id}", "is not in doubt", "`loop outbox list` names those that are.")
        self.note([Event(send_id, "resolved", f"{resolution}: {detail}", due_at=now)], now)
        if resolution == "again":  # whoever says so knows that it was not sent
            self._connection.execute("update messages set first_attempted_at = null where send_id = ?", [send_id])

    def _messages(self, condition: str, parameters: Sequence[object]) -> list[Message]:
        names = [field.name for field in fields(Message)]
        rows = self._connection.execute(f"select {', '.join(names)} from messages {condition}", parameters).fetchall()
        return [Message(**{**dict(zip(names, row, strict=True)), "scheduled_at": time_of(row[-1])}) for row in rows]

    def _write(self, event: Event, now: dt.datetime) -> None:
        self._connection.execute(
            "insert into events (send_id, state, at, sender, reference, detail) values (?, ?, ?, ?, ?, ?)",
            [event.send_id, event.state, text_of(now), event.sender, event.reference, event.detail],
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._connection.execute("rollback")
            raise
        self._connection.execute("commit")


def text_of(time: dt.datetime) -> str:
    """A time as text whose order is the order of times."""
    return time.isoformat(timespec="microseconds")


def time_of(text: str) -> dt.datetime:
    """The inverse of :func:`text_of`."""
    return dt.datetime.fromisoformat(text)


def _resolution(event: Event) -> Resolution:
    told = (event.detail or "").partition(":")[0]
    return next(resolution for resolution in _AFTER if resolution == told)
