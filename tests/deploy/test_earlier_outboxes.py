"""An outbox that was moved away: what it sent counts, what waited in it is told, nothing is sent twice."""

import datetime as dt

import pytest

from orchestration.deploy.despatch import outbox_of
from orchestration.deploy.messages import Outcome
from orchestration.deploy.posting import copy_events
from orchestration.deploy.queued import Event, Message
from orchestration.doctor import examine
from orchestration.edges.clock import SystemClock
from orchestration.edges.warehouse import Warehouse
from orchestration.programs.definition import FOLDER
from orchestration.settings import Settings
from tests.bench.sender_kills import NOON, send_id
from tests.deploy.played import WANTED, MovingClock, PlayedChannel, reasons, sent


def lose_outbox(house: Warehouse) -> None:
    for path in house.folder.glob("outbox.sqlite*"):
        path.rename(path.with_name(f"damaged-{path.name}"))


def had(house: Warehouse, program: str, number: int, at: dt.datetime) -> None:
    """Messages that u1 got from an outbox whose events were copied."""
    outbox, names = outbox_of(house), [f"{program} {count}" for count in range(number)]
    experiment = f"{program}-202646-1"
    outbox.add(
        [Message(name, program, experiment, "c", "baseline", "u1", "new", "email", "Hello", at) for name in names], at
    )
    outbox.note([Event(name, "attempted", sender="played") for name in names], at)
    outbox.note([Event(name, "accepted", sender="played") for name in names], at)
    house.append(
        {
            "ledger.experiments": [
                {"experiment_id": experiment, "program": program, "cycle": 202646, "send_number": 1, "starts_at": at,
                 "salt": "s", "tags_by_design": False, "recorded_at": at}
            ],
            "ledger.sends": [
                {"send_id": name, "experiment_id": experiment, "user_id": "u1", "creative_id": "c", "channel": "in_app",
                 "is_dry_run": False, "scheduled_at": at, "recorded_at": at}
                for name in names
            ],
        }
    )  # fmt: skip
    with house.connect() as connection:
        copy_events(connection, outbox, at)
    outbox.close()


def test_the_cap_counts_what_a_lost_outbox_sent(house: Warehouse) -> None:
    had(house, "winback", 5, NOON)
    lose_outbox(house)
    channel = PlayedChannel()
    assert "frequency cap of all programs together" in reasons(sent(house, channel), "withheld")
    assert sorted(channel.ids()) == sorted(set(WANTED) - {send_id(1)})


def test_one_send_a_day_counts_what_a_lost_outbox_sent(house: Warehouse) -> None:
    had(house, "subject_lines", 1, NOON - dt.timedelta(hours=2))
    lose_outbox(house)
    with house.connect() as connection:
        connection.execute(
            "update ledger.sends set scheduled_at = ? where send_id = 'subject_lines 0'", [NOON - dt.timedelta(days=1)]
        )
    channel = PlayedChannel()
    assert reasons(sent(house, channel), "deferred") == {"a send of the program just before"}
    assert sorted(channel.ids()) == sorted(set(WANTED) - {send_id(1)})


@pytest.mark.parametrize("outcome", [Outcome("deferred", "busy"), Outcome("unknown", "no answer")])
def test_what_waited_in_a_lost_outbox_is_told_until_its_time_has_passed(house: Warehouse, outcome: Outcome) -> None:
    clock = MovingClock()
    assert sent(house, PlayedChannel(outcome), clock).left_behind == 0
    lose_outbox(house)
    done = sent(house, PlayedChannel(), clock)
    assert (done.tally.tried, done.left_behind) == (0, 1)
    clock.time = NOON + dt.timedelta(hours=48)
    assert sent(house, PlayedChannel(), clock).left_behind == 0


def test_doctor_tells_of_it(house: Warehouse) -> None:
    sent(house, PlayedChannel(Outcome("deferred", "busy")))
    with house.connect() as connection:
        connection.execute("update ledger.sends set scheduled_at = ?", [SystemClock().now()])

    settings = Settings(house.folder, FOLDER, "weekly", 7)

    def told() -> list[str]:
        return [finding.found for finding in examine(settings) if finding.subject == "outbox"]

    assert told() == []
    lose_outbox(house)
    (found,) = told()
    assert found.startswith(
        "1 messages waited in an outbox that is no longer here and are not sent: put outbox.sqlite back"
    )
