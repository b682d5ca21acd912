"""Which windows of a source are due: what the platform may have changed since, less what was read a moment ago."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.measure.pulls.definition import Source, Stream
from orchestration.policy.thresholds import whole_number

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """Days of one report of one account that are asked for in one call, first and last inclusive."""

    account_id: str
    stream: Stream
    first: dt.date
    last: dt.date

    @property
    def days(self) -> list[dt.date]:
        """Every day of it."""
        return [self.first + number * _DAY for number in range((self.last - self.first).days + 1)]


def span(source: Source, now: dt.datetime, first: dt.date | None, last: dt.date | None) -> tuple[dt.date, dt.date]:
    """The days of a pull: those asked for, else the ones that the platform still changes, today among them.

    Raises:
        Refusal: if the days run backwards, lie ahead, or before the platform's memory.
    """
    today = now.date()
    last = last or today
    first = first or last - (source.reread_days - 1) * _DAY
    if first > last:
        raise Refusal(f"source {source.name}", f"--from {first} is after --to {last}", "Give the earlier day first.")
    # A day ahead of UTC it may already be the account's today.
    if last > today + _DAY:
        raise Refusal(f"source {source.name}", f"{last} has not come yet", "Give a day that has.")
    if first < today - source.history_days * _DAY:
        raise Refusal(
            f"source {source.name}",
            f"{first} is further back than the {source.history_days} days that the platform keeps",
            f"Begin at {today - source.history_days * _DAY} or later.",
        )
    return first, last


def due(
    warehouse: Warehouse, source: Source, accounts: tuple[str, ...], days: tuple[dt.date, dt.date], now: dt.datetime
) -> Iterator[Window]:
    """Windows to be read, newest days first: if the quota ends, what is missing is the oldest.

    A window that a run read within the policy's hours is left out, so that a run that was stopped goes on where it stopped. Counters
    are looked at whenever somebody asks.
    """
    known = warehouse.rows(
        "select account_id, stream, first_day, last_day from raw.pull_readings where source = ? and extracted_at > ? and ?",
        [source.name, now - dt.timedelta(hours=whole_number("pull_fresh_hours")), source.nature == "aggregates"],
    )
    read = {
        (row["account_id"], row["stream"], row["first_day"] + number * _DAY)
        for row in known
        for number in range((row["last_day"] - row["first_day"]).days + 1)
    }
    first, last = days
    while last >= first:
        begin = max(first, last - (source.window_days - 1) * _DAY)
        for account in accounts:
            for stream in source.streams:
                window = Window(account, stream, begin, last)
                if any((account, stream.name, day) not in read for day in window.days):
                    yield window
        last = begin - _DAY
