"""Sends what is due: judged, attempted on disk, called, and kept. A process may die at any line of it.

What a death leaves: nothing (before the attempt is on disk) or one call in doubt (after), because the outcomes of a call and the
attempts of the next are one transaction. Doubts are settled first thing in the next run, by asking and not by sending again.
"""

import datetime as dt
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from orchestration.deploy.gate import Gate
from orchestration.deploy.messages import UNCLEAR, Letter, Outcome, Sender
from orchestration.deploy.outbox import Outbox
from orchestration.deploy.queued import Event, InDoubt, Message
from orchestration.edges.clock import Clock
from orchestration.errors import Refusal

_WINDOW = 1000  # messages judged together: one look into the warehouse
_JUDGED_SECONDS = 60  # for so long a judgement holds: night may fall, or a person say no, while a window leaves slowly
_MOST_IN_A_ROW = (
    3  # calls without an answer, or channels that ask to wait: after these the run ends, lest thousands go into doubt
)

Letters = Callable[[Sequence[Message]], Mapping[str, Letter]]


@dataclass(frozen=True, slots=True)
class Manner:
    """How to send.

    Attributes:
        channels: Whose messages the sender takes: email, social, paid.
        settle_seconds: For how long after an attempt a channel that does not have the message is not believed.
        retry_seconds: Before a message that was put off, by the channel or by a rule, is tried again.
        longest_wait_seconds: A channel that asks to wait longer ends the run.
        per_second: Most messages a second; None for as many as go.
        most: Messages of this run.
    """

    channels: Collection[str]
    settle_seconds: float
    retry_seconds: float
    longest_wait_seconds: float = 120.0
    per_second: float | None = None
    most: int | None = None


@dataclass
class Tally:
    """What a run came to; ``ended`` says why it ended before everything was tried."""

    accepted: int = 0
    refused: int = 0
    deferred: int = 0
    unknown: int = 0
    withheld: int = 0
    settled: int = 0
    ended: str | None = None
    in_a_row: int = field(default=0, repr=False)

    @property
    def tried(self) -> int:
        """Messages handed to the channel."""
        return self.accepted + self.refused + self.deferred + self.unknown


def send_due(
    outbox: Outbox,
    sender: Sender,
    gate: Gate,
    letters_of: Letters,
    manner: Manner,
    clock: Clock,
    *,
    seen: Callable[[Collection[str]], Collection[str]] = lambda send_ids: (),
    wait: Callable[[float], None] = time.sleep,
    report: Callable[[Tally], None] = lambda tally: None,
) -> Tally:
    """Settles what is in doubt and sends what is due.

    Args:
        letters_of: Messages to letters by send id; a message that is not in the answer has no address.
        seen: Of messages in doubt, those of which the warehouse has an event, so that they were sent.
        report: Called after every call.

    Raises:
        WarehouseLocked: if another process is sending.
        Refusal: if the channel refuses everything; nothing of that call was sent.
    """
    tally = Tally()
    with outbox.sending():
        outbox.recover(clock.now())
        tally.settled = settle(outbox, sender, manner, clock.now(), seen)
        pace = _Pace(manner.per_second, wait)
        while tally.ended is None:
            now = clock.now()
            room = _WINDOW if manner.most is None else min(_WINDOW, manner.most - tally.tried)
            stopped = [name for name in outbox.programs() if gate.state_of(name) == "stopped"]
            window = outbox.due(manner.channels, now, room, stopped) if room > 0 else []
            if not window:
                break
            window = _remembered(outbox, sender, window, now)
            going = _judged(outbox, gate, window, manner, now, tally)
            _send_window(outbox, sender, gate, letters_of, going, manner, clock, now, pace, tally, wait, report)
    return tally


def settle(
    outbox: Outbox,
    sender: Sender,
    manner: Manner,
    now: dt.datetime,
    seen: Callable[[Collection[str]], Collection[str]] = lambda send_ids: (),
) -> int:
    """Settles the doubts about one sender's messages that can be settled; returns how many those were."""
    doubts = [doubt for doubt in outbox.in_doubt() if doubt.sender == sender.name]
    known = set(seen([doubt.message.send_id for doubt in doubts])) if doubts else set()
    settled = 0
    for doubt in doubts:
        event = _settled(doubt, sender, manner, now, known)
        if event is not None:
            outbox.note([event], now)
            settled += 1
    return settled


def _settled(doubt: InDoubt, sender: Sender, manner: Manner, now: dt.datetime, known: Collection[str]) -> Event | None:
    send_id = doubt.message.send_id
    if send_id in known:
        return Event(send_id, "resolved", "sent: the channel told the warehouse of it", sender.name)
    if sender.doubt == "repeat":
        if (now - doubt.first_attempted_at).total_seconds() < sender.remembers_seconds:
            return Event(
                send_id, "resolved", "again: under the same key, which the channel knows", sender.name, due_at=now
            )
        return None
    finding = sender.ask(send_id) if sender.doubt == "ask" else UNCLEAR
    if finding.found == "sent":
        return Event(send_id, "resolved", "sent: the channel has it", sender.name, finding.reference)
    age = (now - doubt.attempted_at).total_seconds()
    if finding.found == "absent" and age >= manner.settle_seconds:
        return Event(send_id, "resolved", "again: the channel does not have it", sender.name, due_at=now)
    return None


def _remembered(outbox: Outbox, sender: Sender, messages: Sequence[Message], now: dt.datetime) -> list[Message]:
    """Without those that were tried before and whose keys the channel has forgotten since: they are in doubt again.

    Asked of every call and not only when a doubt is settled: a stop or a night may lie between.
    """
    if sender.doubt != "repeat":
        return list(messages)
    first = outbox.first_attempts([message.send_id for message in messages])
    forgotten = {send_id for send_id, at in first.items() if (now - at).total_seconds() >= sender.remembers_seconds}
    told = "the channel has forgotten the key of an attempt whose end is not known"
    outbox.note([Event(send_id, "unknown", told, sender.name) for send_id in sorted(forgotten)], now)
    return [message for message in messages if message.send_id not in forgotten]


def _judged(
    outbox: Outbox, gate: Gate, window: Sequence[Message], manner: Manner, now: dt.datetime, tally: Tally
) -> list[Message]:
    verdicts = gate.judge(window, now)
    held = [Event(one.message.send_id, "withheld", one.withheld) for one in verdicts if one.withheld]
    quiet = [
        Event(one.message.send_id, "deferred", one.waits_for, due_at=one.wait_until)
        for one in verdicts
        if one.wait_until
    ]
    again = now + dt.timedelta(seconds=manner.retry_seconds)
    ruled = [Event(one.message.send_id, "deferred", one.held, due_at=again) for one in verdicts if one.held]
    outbox.note([*held, *quiet, *ruled], now)
    tally.withheld += len(held)
    return [one.message for one in verdicts if one.may_go]


def _send_window(
    outbox: Outbox,
    sender: Sender,
    gate: Gate,
    letters_of: Letters,
    going: Sequence[Message],
    manner: Manner,
    clock: Clock,
    judged_at: dt.datetime,
    pace: "_Pace",
    tally: Tally,
    wait: Callable[[float], None],
    report: Callable[[Tally], None],
) -> None:
    letters = letters_of(going) if going else {}
    homeless = [
        Event(message.send_id, "withheld", "no address is known") for message in going if message.send_id not in letters
    ]
    outbox.note(homeless, clock.now())
    tally.withheld += len(homeless)
    pending: list[Event] = []
    try:
        waiting = [message for message in going if message.send_id in letters]
        while waiting:
            pace.keep(len(waiting[: sender.most_per_call]))
            if (clock.now() - judged_at).total_seconds() >= _JUDGED_SECONDS:
                outbox.note(pending, clock.now())  # what was just sent counts for the caps
                pending, judged_at = [], clock.now()
                waiting = _judged(outbox, gate, waiting, manner, judged_at, tally)
            call, waiting = waiting[: sender.most_per_call], waiting[sender.most_per_call :]
            messages = _remembered(outbox, sender, gate.still(call), clock.now())
            if gate.permission.has_changed():
                break  # the rest of the window is judged again, by the new rules
            if not messages:
                continue
            now = clock.now()
            outbox.note([*pending, *(Event(one.send_id, "attempted", sender=sender.name) for one in messages)], now)
            pending = []
            try:
                outcomes = sender.send([letters[message.send_id] for message in messages])
            except Refusal as refusal:
                due = now + dt.timedelta(seconds=manner.retry_seconds)
                pending = [Event(one.send_id, "deferred", refusal.reason, sender.name, due_at=due) for one in messages]
                raise
            now = clock.now()
            pending = [
                _event(message, outcome, sender, manner, now)
                for message, outcome in zip(messages, outcomes, strict=True)
            ]
            _count(tally, outcomes)
            report(tally)
            _heed(outcomes, manner, tally, wait)
            if tally.ended is not None:
                break
    finally:
        outbox.note(pending, clock.now())


def _event(message: Message, outcome: Outcome, sender: Sender, manner: Manner, now: dt.datetime) -> Event:
    due = None
    if outcome.kind == "deferred":
        due = now + dt.timedelta(seconds=outcome.wait_seconds or manner.retry_seconds)
    return Event(message.send_id, outcome.kind, outcome.detail, sender.name, outcome.reference, due)


def _count(tally: Tally, outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        setattr(tally, outcome.kind, getattr(tally, outcome.kind) + 1)
    troubled = any(outcome.kind == "unknown" or outcome.wait_seconds > 0 for outcome in outcomes)
    tally.in_a_row = tally.in_a_row + 1 if troubled else 0


def _heed(outcomes: Sequence[Outcome], manner: Manner, tally: Tally, wait: Callable[[float], None]) -> None:
    """Waits as long as the channel asks, or ends the run."""
    longest = max(outcomes, key=lambda outcome: outcome.wait_seconds)
    if tally.in_a_row >= _MOST_IN_A_ROW:
        tally.ended = f"{_MOST_IN_A_ROW} calls in a row went wrong: {longest.detail or outcomes[-1].detail}"
    elif longest.wait_seconds > manner.longest_wait_seconds:
        tally.ended = f"the channel asks to wait {longest.wait_seconds:.0f} seconds: {longest.detail}"
    elif longest.wait_seconds > 0:
        wait(longest.wait_seconds)


class _Pace:
    """Keeps to so many messages a second, without saving up for a burst."""

    def __init__(self, per_second: float | None, wait: Callable[[float], None]) -> None:
        self._per_second, self._wait, self._free_at = per_second, wait, 0.0

    def keep(self, messages: int) -> None:
        if self._per_second is None:
            return
        now = time.monotonic()
        if self._free_at > now:
            self._wait(self._free_at - now)
        self._free_at = max(self._free_at, now) + messages / self._per_second
