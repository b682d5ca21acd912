"""One pull of one source: windows one after another, each landed before the next is asked for."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from orchestration.edges.clock import Clock
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.measure.pulls.allowance import Allowance
from orchestration.measure.pulls.contracts import Item, at, fault, judge
from orchestration.measure.pulls.definition import Access, Source, read_access
from orchestration.measure.pulls.landing import Landing, Reading
from orchestration.measure.pulls.patience import Pace
from orchestration.measure.pulls.platform import Platform, TooMuch
from orchestration.measure.pulls.platforms import platform_of
from orchestration.measure.pulls.windows import Window, due, span

_LANDED_AT_ONCE = 12  # windows: a load costs a second whatever it holds, and a kill costs what was not landed


@dataclass(frozen=True, slots=True)
class PullReport:
    """What one pull did.

    Attributes:
        windows: Windows read to their end.
        rows: Rows that came with them.
        quarantined: Rows that broke the contract; their windows keep what was known of them before.
        refused_windows: Windows with such rows.
        reason: Why the first of those rows was quarantined.
        stopped: Why the pull ended before its last window, None if it did not.
    """

    source: str
    windows: int
    rows: int
    quarantined: int
    refused_windows: int
    reason: str | None
    stopped: Refusal | None


class _Pull:
    def __init__(self, warehouse: Warehouse, source: Source, access: Access, clock: Clock, pace: Pace) -> None:
        self.warehouse, self.source, self.access, self.clock, self.pace = warehouse, source, access, clock, pace
        self.landing = Landing(warehouse, source)
        self.held: list[tuple[Reading, Sequence[Item]]] = []
        self.windows = self.rows = self.quarantined = self.refused = 0
        self.reason: str | None = None

    def platform(self, account_id: str) -> Platform:
        allowance = Allowance(self.warehouse, self.source, account_id, self.clock)
        return platform_of(self.source, self.access, replace(self.pace, before_call=lambda request: allowance.take()))

    def read(self, platform: Platform, window: Window) -> None:
        """Reads a window, in halves where the platform finds it too large."""
        try:
            items = list(platform.read(window))
        except TooMuch as error:
            if window.first == window.last:
                raise Refusal(
                    f"source {self.source.name}", f"{window.first} is too much for one call", "Drop a breakdown."
                ) from error
            middle = window.first + (window.last - window.first) // 2
            self.read(platform, replace(window, last=middle))
            self.read(platform, replace(window, first=middle + dt.timedelta(days=1)))
            return
        now = self.clock.now()
        reading = Reading(self.source, window.account_id, window.stream, (window.first, window.last), now)
        judged = judge(window.stream, self.source.day_path, window.days, items)
        if judged.faults:
            self.landing.set_aside(reading, judged.faults, now)
            self.quarantined += len(judged.faults)
            self.refused += 1
            self.reason = self.reason or f"{window.stream.name}: {judged.faults[0][0]}"
            self.pace.tell(
                f"{self.source.name} {window.stream.name} {window.first} to {window.last}: {len(judged.faults):,} rows "
                f"quarantined ({judged.faults[0][0]}); what was known of these days stays"
            )
            return
        self.held.append((reading, judged.rows))
        if len(self.held) >= _LANDED_AT_ONCE:
            self.land()

    def land(self) -> None:
        if self.held:
            rows = self.landing.land(self.held)
            self.windows, self.rows, self.held = self.windows + len(self.held), self.rows + rows, []
            self.pace.tell(f"{self.source.name}: {self.windows:,} windows, {self.rows:,} rows landed")


def pull(
    warehouse: Warehouse,
    source: Source,
    clock: Clock,
    *,
    first: dt.date | None = None,
    last: dt.date | None = None,
    pace: Pace | None = None,
) -> PullReport:
    """Pulls a source; whatever stops it, what was read until then has landed.

    Args:
        first: Day to begin with; None: as many days back as the platform still changes.
        last: Last day; None: today.

    Raises:
        Refusal: if the source is not configured, or the days cannot be had.
        WarehouseLocked: if another process writes to the warehouse.
    """
    access, now = read_access(source), clock.now()
    days = span(source, now, first, last)
    warehouse.migrate()
    run = _Pull(warehouse, source, access, clock, pace or Pace())
    try:
        if source.nature == "events":
            _pull_events(run, days if first else None)
        else:
            for window in due(warehouse, source, access.accounts, days, now):
                run.read(run.platform(window.account_id), window)
    except Refusal as error:
        run.land()
        return PullReport(source.name, run.windows, run.rows, run.quarantined, run.refused, run.reason, error)
    run.land()
    return PullReport(source.name, run.windows, run.rows, run.quarantined, run.refused, run.reason, None)


def _pull_events(run: _Pull, days: tuple[dt.date, dt.date] | None) -> None:
    [stream] = run.source.streams
    for account in run.access.accounts:
        platform, now = run.platform(account), run.clock.now()
        first, last = days or (now.date(), now.date())
        reading = Reading(run.source, account, stream, (first, last), now)
        until = dt.datetime.combine(last + dt.timedelta(days=1), dt.time())
        faults: list[tuple[str, Item]] = []

        def read(
            start: dt.datetime, platform: Platform = platform, until: dt.datetime = until, faults: list[Any] = faults
        ) -> Iterator[tuple[str, dt.datetime, Item]]:
            for item in platform.read_events(start, until):
                happened = _instant(at(item, str(stream.options["time"])))
                reason = fault(stream, item) or (None if happened else f"{stream.options['time']} is no instant")
                if happened is None or reason is not None:
                    faults.append((reason or "", item))
                else:
                    yield str(at(item, stream.key[0])), happened, item

        since = dt.datetime.combine(first, dt.time()) if days else None
        told = run.landing.land_events(reading, since, read)
        if faults:
            run.landing.set_aside(reading, faults, now)
            run.refused, run.reason = run.refused + 1, faults[0][0]
        run.windows, run.rows, run.quarantined = run.windows + 1, run.rows + told, run.quarantined + len(faults)
        run.pace.tell(f"{run.source.name}: {told:,} events told")


def _instant(text: object) -> dt.datetime | None:
    """UTC without offset; None where it is no instant."""
    try:
        told = dt.datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return told.astimezone(dt.UTC).replace(tzinfo=None) if told.tzinfo else told
