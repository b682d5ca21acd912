"""Quiet hours in the person's zone, over the changes of clocks."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.deploy.quiet import QuietHours

NIGHT = QuietHours(21, 8)
ZONES = ("Europe/Lisbon", "America/St_Johns", "Australia/Lord_Howe", "America/Havana", "Asia/Kathmandu", "Pacific/Apia")


def local(now: dt.datetime, zone: str) -> dt.datetime:
    return now.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(zone))


@pytest.mark.parametrize(
    ("now", "zone", "until"),
    [
        ("2026-11-16 12:00", "Europe/Berlin", None),
        ("2026-11-16 12:00", "Pacific/Auckland", "2026-11-16 19:00"),  # 01:00 there, UTC+13
        ("2026-03-29 00:30", "Europe/Berlin", "2026-03-29 06:00"),  # the night is an hour shorter
        ("2026-10-25 00:30", "Europe/Berlin", "2026-10-25 07:00"),  # and an hour longer
        ("2026-11-16 22:00", None, "2026-11-17 08:00"),
        ("2026-11-16 22:00", "Mars/Olympus", "2026-11-17 08:00"),
    ],
)
def test_a_night(now: str, zone: str | None, until: str | None) -> None:
    found = NIGHT.until(dt.datetime.fromisoformat(now), zone)
    assert found == (until and dt.datetime.fromisoformat(until))


@given(
    now=st.datetimes(dt.datetime.fromisoformat("2024-01-01"), dt.datetime.fromisoformat("2028-01-01")),
    zone=st.sampled_from(ZONES),
    starts=st.integers(0, 23),
    ends=st.integers(0, 23),
)
def test_it_ends_outside_of_it_and_not_before_it_must(now: dt.datetime, zone: str, starts: int, ends: int) -> None:
    hours = QuietHours(starts, ends)
    quiet = {(starts + step) % 24 for step in range((ends - starts) % 24)}
    until = hours.until(now, zone)
    assert (until is not None) == (local(now, zone).hour in quiet)
    if until is not None:
        assert now <= until
        assert local(until, zone).hour not in quiet
        moment = now
        while moment < until - dt.timedelta(minutes=61):
            assert local(moment, zone).hour in quiet
            moment += dt.timedelta(minutes=59)
