"""A run of sending for one channel: brings ledger, outbox, gate, addresses and sender together, in earnest or as a rehearsal."""

import datetime as dt
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from orchestration.deploy.earlier import left_earlier, sent_earlier
from orchestration.deploy.gate import EVERYBODY, Gate, Limits
from orchestration.deploy.letters import LetterWriter, posts_of
from orchestration.deploy.messages import UNCLEAR, Doubt, Finding, Letter, Outcome, Sender
from orchestration.deploy.outbox import NAME, Outbox
from orchestration.deploy.permission import Permission
from orchestration.deploy.posting import copy_events, queue_people, queue_posts, seen_in
from orchestration.deploy.queued import Sent
from orchestration.deploy.quiet import QuietHours, configured_zone
from orchestration.deploy.refusals import require_known_complaints
from orchestration.deploy.rendering import Templates
from orchestration.deploy.senders.configured import goes_to_people
from orchestration.deploy.sending import Manner, Tally, send_due
from orchestration.deploy.standing import SpooledUnsubscribes, Standing, spool_positions, standing_in
from orchestration.deploy.switches import Switchboard, recorded_switches
from orchestration.edges.addresses import configured_addresses
from orchestration.edges.clock import Clock
from orchestration.edges.spool import spool_key
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.policy.live import LiveRules
from orchestration.policy.thresholds import whole_number
from orchestration.programs.definition import Program
from orchestration.serve.configuration import PUBLIC_URL, public_url
from orchestration.serve.unsubscribe import unsubscribe_key


@dataclass(frozen=True, slots=True)
class Despatch:
    """What a run came to.

    Attributes:
        queued: Messages that were new in the outbox.
        left_behind: Messages that waited in an outbox that is no longer here; nothing sends them.
        handed_over: Messages that were written to files for hand-over, so that somebody else sends them.
        counts: Messages by state, all channels.
        reasons: State, reason and number of what did not leave.
        next_due: When the next message of the channel may be tried; None if none waits.
        sample: The first letter of a rehearsal, or None.
    """

    tally: Tally
    queued: int
    left_behind: int
    handed_over: int
    counts: Mapping[str, int]
    reasons: Sequence[tuple[str, str, int]]
    next_due: dt.datetime | None
    sample: Letter | None


class Rehearsed:
    """Stands for a sender in a dry run: keeps the first letter, calls nobody."""

    doubt: Doubt = "operator"
    remembers_seconds = 0.0

    def __init__(self, sender: Sender | None) -> None:
        self.name = f"{sender.name if sender else 'files'} (dry run)"
        self.most_per_call = 500
        self.sample: Letter | None = None

    def send(self, letters: Sequence[Letter]) -> list[Outcome]:
        """Accepts everything."""
        self.sample = self.sample or letters[0]
        return [Outcome("accepted")] * len(letters)

    def ask(self, send_id: str) -> Finding:
        """Nothing is asked."""
        return UNCLEAR

    def close(self) -> None:
        """Nothing to let go of."""


def outbox_of(warehouse: Warehouse) -> Outbox:
    """The outbox beside a warehouse."""
    return Outbox(warehouse.folder / NAME)


def despatch(
    warehouse: Warehouse,
    channel: str,
    sender: Sender | None,
    programs: Sequence[Program],
    rules: LiveRules,
    clock: Clock,
    *,
    pseudonym_key: bytes | None,
    is_live: bool,
    take_in: Callable[[], object],
    most: int | None = None,
    manner: Manner | None = None,
    report: Callable[[Tally], None] = lambda tally: None,
) -> Despatch:
    """Queues what the ledger has for a channel and sends what is due, or rehearses that on a copy which is thrown away.

    Args:
        rules: Those of sending are asked before every batch.
        take_in: Moves what lies in the spool into the warehouse: before people are judged their last words must be there.
        most: Messages of this run.
        manner: How to send; None is what the policy seed and the environment say.

    Raises:
        Refusal: if something that is needed is not configured, or the channel refuses everything.
        WarehouseLocked: if the warehouse or the outbox is held by another process.
    """
    to_people = goes_to_people(channel)
    outbox, now = outbox_of(warehouse), clock.now()
    try:
        used = outbox if is_live else outbox.rehearsal()
        acting = sender if is_live and sender is not None else Rehearsed(sender)
        expiry = whole_number("send_expiry_hours")
        with warehouse.connect() as connection:
            if to_people:
                queued, handed_over = queue_people(
                    connection, used, warehouse.folder, [channel], now, expiry_hours=expiry
                )
            else:
                queued, handed_over = queue_posts(connection, used, [channel], now, expiry_hours=expiry), 0
            left_behind = left_earlier(connection, outbox.outbox_id, now - dt.timedelta(hours=expiry))
            everybody, positions = _global_holdout(connection), spool_positions(connection)
            switches = Switchboard(warehouse.folder, recorded_switches(connection))
        permission = Permission(warehouse, {program.program: program for program in programs}, rules, is_live)
        gate = _gate(warehouse, used, programs, permission, switches, everybody, positions, take_in)
        letters = _writer(warehouse, pseudonym_key).write if to_people else posts_of
        try:
            tally = send_due(
                used,
                acting,
                gate,
                letters,
                manner or _manner(channel, most),
                clock,
                seen=_seen(warehouse),
                report=report,
            )
        finally:
            if is_live:
                with warehouse.connect() as connection:
                    copy_events(connection, outbox, clock.now())
        sample = getattr(acting, "sample", None)
        told = used.counts(), used.reasons(), used.next_due([channel])
        return Despatch(tally, queued, left_behind, handed_over, *told, sample)
    finally:
        outbox.close()


def limits() -> Limits:
    """The thresholds of sending, from the policy seed and ``LOOP_TIMEZONE``."""
    quiet = QuietHours(whole_number("quiet_from_hour"), whole_number("quiet_until_hour"), configured_zone())
    return Limits(
        whole_number("send_cap_messages"), whole_number("send_cap_days"), whole_number("send_expiry_hours"), quiet
    )


def _gate(
    warehouse: Warehouse,
    outbox: Outbox,
    programs: Sequence[Program],
    permission: Permission,
    switches: Switchboard,
    everybody: float,
    positions: Mapping[str, int],
    take_in: Callable[[], object],
) -> Gate:
    def standing_of(user_ids: Collection[str]) -> Mapping[str, Standing]:
        take_in()
        with warehouse.connect() as connection:
            require_known_complaints(connection)
            return standing_in(connection, user_ids)

    def sent_since(user_ids: Collection[str], since: dt.datetime) -> Mapping[str, Sequence[Sent]]:
        found = outbox.sent_since(user_ids, since)
        with warehouse.connect() as connection:
            for user_id, sent in sent_earlier(connection, outbox.outbox_id, user_ids, since).items():
                found.setdefault(user_id, []).extend(sent)
        return found

    return Gate(
        limits(),
        standing_of,
        SpooledUnsubscribes(warehouse.folder, spool_key(warehouse.folder), positions).people,
        sent_since,
        {EVERYBODY: everybody, **{program.program: program.experiments.holdout_share for program in programs}},
        switches.state_of,
        permission,
    )


def _writer(warehouse: Warehouse, pseudonym_key: bytes | None) -> LetterWriter:
    url = public_url()
    if url is None:
        raise Refusal(
            PUBLIC_URL,
            "is not set, so no message could offer one-click unsubscribe",
            "Set it to where `loop serve` is reached.",
        )
    known: dict[str, Templates] = {}

    def templates_of(program: str) -> Templates:
        if program not in known:
            known[program] = Templates.load(program)
        return known[program]

    return LetterWriter(
        configured_addresses(pseudonym_key),
        templates_of,
        url,
        unsubscribe_key(warehouse.folder),
        os.environ.get("LOOP_UNSUBSCRIBE_MAILTO") or None,
    )


def _manner(channel: str, most: int | None) -> Manner:
    text = os.environ.get("LOOP_SEND_PER_SECOND", "")
    try:
        pace = float(text) if text else None
    except ValueError as error:
        raise Refusal("LOOP_SEND_PER_SECOND", f"{text!r} is no number", "Set one, or unset it.") from error
    if pace is not None and not pace > 0:
        raise Refusal("LOOP_SEND_PER_SECOND", "is not above 0", "Set a number above 0; `loop stop` stops sending.")
    return Manner(
        [channel],
        whole_number("send_settle_minutes") * 60.0,
        whole_number("send_retry_minutes") * 60.0,
        per_second=pace,
        most=most,
    )


def _seen(warehouse: Warehouse) -> Callable[[Collection[str]], Collection[str]]:
    def seen(send_ids: Collection[str]) -> Collection[str]:
        with warehouse.connect() as connection:
            return seen_in(connection, send_ids)

    return seen


def _global_holdout(connection: duckdb.DuckDBPyConnection) -> float:
    """Share of all people who get nothing from any program; 0 where the policy names none."""
    try:
        row = connection.execute("select value from policy.policy where name = 'global_holdout_share'").fetchone()
    except duckdb.CatalogException:
        return 0.0
    return float(row[0]) if row else 0.0
