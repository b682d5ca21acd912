"""Time passes while messages leave: what was judged is judged again, and what a channel has forgotten is not repeated."""

import datetime as dt

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
