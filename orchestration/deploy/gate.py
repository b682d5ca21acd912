"""Who may get a message now: asked for every message, immediately before it leaves, of everything that could have changed since."""

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from orchestration.deploy.assignment import is_held_out
from orchestration.deploy.permission import Permission
from orchestration.deploy.queued import Message, Sent
from orchestration.deploy.quiet import QuietHours
from orchestration.deploy.standing import NOBODY, Standing
from orchestration.deploy.switches import State

EVERYBODY = "*"  # the holdout of all programs


@dataclass(frozen=True, slots=True)
class Limits:
    """Thresholds of sending, from the policy seed.

    Attributes:
        cap_messages, cap_days: Most messages of all programs together that a person gets in so many days.
        expiry_hours: A message this long after its time is not sent any more: it would answer another question.
    """

    cap_messages: int
    cap_days: int
    expiry_hours: int
    quiet: QuietHours


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done with a message: sent, withheld for good, left until ``wait_until``, or left until a stop is lifted.

    Attributes:
        waits_for: Why it is left until ``wait_until``.
        held: Why the rules of sending do not let its batch leave now; they may later.
    """

    message: Message
    withheld: str | None = None
    wait_until: dt.datetime | None = None
    waits_for: str | None = None
    is_stopped: bool = False
    held: str | None = None

    @property
    def may_go(self) -> bool:
        """Whether it is to be sent now."""
        return self.withheld is None and self.wait_until is None and self.held is None and not self.is_stopped


@dataclass(frozen=True, slots=True)
class Gate:
    """The checks of sending.

    Attributes:
        standing_of: How people stand in the warehouse.
        unsubscribed: Everybody who unsubscribed since the warehouse last heard.
        sent_since: Messages of every person since a time; see :meth:`Outbox.sent_since`.
        holdouts: Program (or ``*``) -> share of people who get nothing.
        state_of: The kill switch of a program.
        permission: The rules of sending.
    """

    limits: Limits
    standing_of: Callable[[Collection[str]], Mapping[str, Standing]]
    unsubscribed: Callable[[], Collection[str]]
    sent_since: Callable[[Collection[str], dt.datetime], Mapping[str, Sequence[Sent]]]
    holdouts: Mapping[str, float]
    state_of: Callable[[str], State]
    permission: Permission

    def judge(self, messages: Sequence[Message], now: dt.datetime) -> list[Verdict]:
        """A verdict for each message; two messages to one person are judged one after the other."""
        people = {message.user_id for message in messages if message.user_id is not None}
        standing = self.standing_of(people) if people else {}
        since = now - dt.timedelta(days=self.limits.cap_days)
        got = {person: list(sent) for person, sent in self.sent_since(people, since).items()} if people else {}
        gone = self.unsubscribed()
        stopped = self.permission.stopped(messages)
        held = self.permission.held(messages, now)
        verdicts = []
        for message in messages:
            verdict = self._judge(message, standing, gone, got, now)
            if message.send_id in stopped and not verdict.is_stopped:
                verdict = Verdict(message, stopped[message.send_id])
            if verdict.may_go and message.send_id in held:
                verdict = Verdict(message, held=held[message.send_id])
            if verdict.may_go and message.user_id is not None:
                got.setdefault(message.user_id, []).append(Sent(message.program, now, message.scheduled_at))
            verdicts.append(verdict)
        return verdicts

    def still(self, messages: Sequence[Message]) -> list[Message]:
        """Of messages judged a moment ago, those that no switch and no unsubscription has stopped since."""
        gone = self.unsubscribed()
        return [message for message in messages if message.user_id not in gone and self._is_on(message)]

    def _is_on(self, message: Message) -> bool:
        state = self.state_of(message.program)
        return state == "running" or (state == "baseline" and message.role == "baseline")

    def _judge(
        self,
        message: Message,
        standing: Mapping[str, Standing],
        gone: Collection[str],
        got: Mapping[str, Sequence[Sent]],
        now: dt.datetime,
    ) -> Verdict:
        state = self.state_of(message.program)
        if now >= message.scheduled_at + dt.timedelta(hours=self.limits.expiry_hours):
            return Verdict(message, "too late: its time has passed")
        if state == "stopped":  # a stop may be lifted: the message waits, and expires if it is not
            return Verdict(message, is_stopped=True)
        if state == "baseline" and message.role != "baseline":
            return Verdict(message, "the program was rolled back to its baseline")
        if message.user_id is None:
            return Verdict(message)
        person = standing.get(message.user_id, NOBODY)
        if not person.is_subscribed or message.user_id in gone:
            return Verdict(message, "no consent: unsubscribed, suppressed or not in the audience")
        return self._of_person(message, message.user_id, person, got.get(message.user_id, ()), now)

    def _of_person(
        self, message: Message, user_id: str, person: Standing, got: Sequence[Sent], now: dt.datetime
    ) -> Verdict:
        """Of somebody who wants mail; the hash is asked as well as the ledger, because a holdout is broken by one mistake of either."""
        held = any(is_held_out(name, user_id, self.holdouts.get(name, 0.0)) for name in (message.program, EVERYBODY))
        if held or message.creative_id == "holdout" or message.experiment_id in person.experiments_held_out:
            return Verdict(message, "in the holdout")
        if len(got) >= self.limits.cap_messages:
            return Verdict(message, "frequency cap of all programs together")
        own = self._own_time(message, person, got, now)
        if own > now:
            return Verdict(
                message, None, self.limits.quiet.until(own, person.timezone) or own, "a send of the program just before"
            )
        return Verdict(message, None, self.limits.quiet.until(now, person.timezone), "quiet hours")

    def _own_time(self, message: Message, person: Standing, got: Sequence[Sent], now: dt.datetime) -> dt.datetime:
        """From when a message has a time of its own, where several sends of a program are late and due at once.

        What was meant for another day than the one before it leaves on another day of the person's, what was meant for the same day as
        long after it as was meant. Days and not hours: a daily run may begin a minute earlier than yesterday's.
        """
        quiet = self.limits.quiet
        return max(
            (
                min(one.at + abs(message.scheduled_at - one.scheduled_at), quiet.next_day(one.at, person.timezone))
                for one in got
                if one.program == message.program
            ),
            default=now,
        )
