"""A run of sending in small: people of all standings, a clock that a test sets, and a channel that plays what it is told."""

import datetime as dt
from collections.abc import Collection, Sequence

from orchestration.deploy.despatch import Despatch, despatch
from orchestration.deploy.messages import Doubt, Finding, Letter, Outcome
from orchestration.deploy.sending import Manner
from orchestration.edges.warehouse import Warehouse
from orchestration.measure.mover import move_spool
from orchestration.policy.live import LiveRules
from orchestration.programs.definition import Program
from tests.bench.sender_kills import NOON, PROGRAM, groups, send_id

PEOPLE = 60
SUPPRESSED, HELD = groups(PEOPLE)
WANTED = [send_id(number) for number in range(PEOPLE) if number not in SUPPRESSED | HELD]
MANNER = Manner(["email"], settle_seconds=3600, retry_seconds=900)


class MovingClock:
    """A clock that a test sets."""

    def __init__(self, time: dt.datetime = NOON) -> None:
        self.time = time

    def now(self) -> dt.datetime:
        return self.time


class PlayedChannel:
    """Takes everything, but plays the outcomes of its script first; knows what it took."""

    remembers_seconds = 1800.0

    def __init__(self, *script: Outcome, doubt: Doubt = "ask", size: int = 1) -> None:
        self.name, self.doubt, self.most_per_call = "played", doubt, size
        self.script = list(script)
        self.taken: list[Letter] = []
        self.before_call = lambda: None

    def send(self, letters: Sequence[Letter]) -> list[Outcome]:
        self.before_call()
        outcomes = []
        for letter in letters:
            outcome = self.script.pop(0) if self.script else Outcome("accepted", reference=f"ref {letter.send_id[-4:]}")
            if outcome.kind == "accepted" or outcome.detail == "taken all the same":
                self.taken.append(letter)
            outcomes.append(outcome)
        return outcomes

    def ask(self, send_id: str) -> Finding:
        found = any(letter.send_id == send_id for letter in self.taken)
        return Finding("sent", "found") if found else Finding("absent")

    def close(self) -> None:
        pass

    def ids(self) -> list[str]:
        return [letter.send_id for letter in self.taken]


def sent(
    house: Warehouse,
    channel: PlayedChannel,
    clock: MovingClock | None = None,
    *,
    live: bool = True,
    programs: Sequence[Program] = (PROGRAM,),
) -> Despatch:
    """A run of sending, with the rules in the folder ``rules`` of the warehouse."""
    rules, at = LiveRules(house.folder / "rules"), clock or MovingClock()
    return despatch(
        house,
        "email",
        channel,
        programs,
        rules,
        at,
        pseudonym_key=None,
        is_live=live,
        take_in=lambda: move_spool(house, at, 30),
        manner=MANNER,
    )


def reasons(done: Despatch, state: str) -> Collection[str]:
    """Why messages are in a state."""
    return {reason for found, reason, _ in done.reasons if found == state}
