"""Time passes while messages leave: what was judged is judged again, and what a channel has forgotten is not repeated."""

import datetime as dt

import pytest

from orchestration.deploy.despatch import outbox_of
from orchestration.deploy.messages import Outcome
from orchestration.deploy.switches import throw
from orchestration.edges.warehouse import Warehouse
from tests.bench.sender_kills import NOON
from tests.deploy.played import WANTED, MovingClock, PlayedChannel, reasons, sent


def test_night_falls_while_a_slow_channel_sends(house: Warehouse) -> None:
    channel, clock = PlayedChannel(), MovingClock(NOON.replace(hour=20, minute=50))
    left_at = []

    def take_half_a_minute() -> None:
        left_at.append(clock.time)
        clock.time += dt.timedelta(seconds=30)

    channel.before_call = take_half_a_minute
    assert "quiet hours" in reasons(sent(house, channel, clock), "deferred")
    assert len(left_at) == 20
    assert max(left_at) < NOON.replace(hour=21)
    clock.time = NOON + dt.timedelta(hours=20)
    sent(house, channel, clock)
    assert sorted(channel.ids()) == sorted(WANTED)


def test_who_is_unsubscribed_by_a_build_gets_nothing_more_within_a_minute(house: Warehouse) -> None:
    channel, clock = PlayedChannel(), MovingClock()

    def take_half_a_minute() -> None:
        clock.time += dt.timedelta(seconds=30)
        if len(channel.taken) == 4:
            with house.connect() as connection:
                connection.execute("update intermediate.int_people set is_subscribed = false")

    channel.before_call = take_half_a_minute
    sent(house, channel, clock)
    assert len(channel.taken) == 6


@pytest.mark.parametrize("between", ["a stop", "a night", "a busy channel"])
def test_a_key_that_is_forgotten_before_the_call_is_not_repeated(house: Warehouse, between: str) -> None:
    channel, clock = PlayedChannel(Outcome("unknown", "taken all the same"), doubt="repeat"), MovingClock()
    sent(house, channel, clock)
    clock.time += dt.timedelta(minutes=20)  # it still knows the key: the doubt is settled as again
    match between:
        case "a stop":
            throw(house.folder, "subject_lines", "stopped", "test", "a look at it", clock.now())
        case "a night":
            with house.connect() as connection:
                connection.execute("update intermediate.int_people set timezone = 'Pacific/Auckland'")
        case _:
            channel.script = [Outcome("deferred", "busy")]
    assert sent(house, channel, clock).tally.settled == 1
    throw(house.folder, "subject_lines", "running", "test", "go on", clock.now())
    clock.time = NOON + dt.timedelta(hours=7)
    assert sent(house, channel, clock).counts["unknown"] == 1
    assert sorted(channel.ids()) == sorted(WANTED)
    outbox = outbox_of(house)
    (doubt,) = outbox.in_doubt()
    assert doubt.detail == "the channel has forgotten the key of an attempt whose end is not known"
    outbox.close()


def test_an_operator_who_knows_better_may_have_it_sent_after_all(house: Warehouse) -> None:
    channel, clock = PlayedChannel(Outcome("unknown", "no answer"), doubt="repeat"), MovingClock()
    sent(house, channel, clock)
    clock.time += dt.timedelta(hours=2)
    sent(house, channel, clock)
    outbox = outbox_of(house)
    (doubt,) = outbox.in_doubt()
    outbox.resolve(doubt.message.send_id, "again", "it is not there", clock.now())
    outbox.close()
    sent(house, channel, clock)
    assert sorted(channel.ids()) == sorted(WANTED)


def test_what_a_channel_put_off_may_be_tried_as_late_as_may_be(house: Warehouse) -> None:
    channel, clock = PlayedChannel(Outcome("deferred", "busy"), doubt="repeat"), MovingClock()
    sent(house, channel, clock)
    clock.time += dt.timedelta(hours=7)
    assert sent(house, channel, clock).counts.get("unknown", 0) == 0
    assert sorted(channel.ids()) == sorted(WANTED)
