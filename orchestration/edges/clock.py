"""Time as an input: nothing else in the package asks the machine what time it is."""

import datetime as dt
from typing import Protocol


class Clock(Protocol):
    """Tells the time, UTC without offset, as the warehouse stores it."""

    def now(self) -> dt.datetime: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC).replace(tzinfo=None)


class FixedClock:
    """A clock somebody sets: simulated worlds and replays."""

    def __init__(self, time: dt.datetime) -> None:
        self._time = time

    def now(self) -> dt.datetime:
        return self._time


def cycle_of(day: dt.date, cadence: str) -> int:
    """The cycle that starts on a day: ISO week ``YYYYWW`` (weekly) or ``YYYYMMDD`` (daily)."""
    if cadence == "weekly":
        year, week, _ = day.isocalendar()
        return year * 100 + week
    return day.year * 10000 + day.month * 100 + day.day


def start_of(cycle: int, cadence: str) -> dt.date:
    """The first day of a cycle; the inverse of :func:`cycle_of`."""
    if cadence == "weekly":
        return dt.date.fromisocalendar(cycle // 100, cycle % 100, 1)
    return dt.date(cycle // 10000, cycle // 100 % 100, cycle % 100)
