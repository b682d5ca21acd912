"""The played channels, a warehouse, and a clock that a test moves; waits are noted, not waited for."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestration.edges.clock import FixedClock
from orchestration.edges.warehouse import Warehouse
from orchestration.measure.pulls.definition import Source, read_sources
from orchestration.measure.pulls.patience import Pace
from orchestration.measure.pulls.pulling import PullReport, pull
from orchestration.sandbox.channels.server import played_channels, variables
from orchestration.sandbox.channels.world import AdDay, ChannelWorld, seeded_world

NOW = dt.datetime.fromisoformat("2026-11-20T12:00")
TODAY = NOW.date()
DAY = dt.timedelta(days=1)


@dataclass
class Stage:
    """What a test plays with.

    Attributes:
        waits: Seconds that pulls waited for.
        told: Lines of progress.
    """

    world: ChannelWorld
    warehouse: Warehouse
    waits: list[float] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def source(self, name: str, *streams: str) -> Source:
        """A source, with some of its streams only."""
        whole = read_sources()[name]
        kept = tuple(stream for stream in whole.streams if stream.name in streams)
        return whole.model_copy(update={"streams": kept}) if streams else whole

    def pull(self, source: Source, first: dt.date | None = None, last: dt.date | None = None) -> PullReport:
        """Pulls at the world's time."""
        pace = Pace(sleep=self.waits.append, tell=self.told.append)
        return pull(self.warehouse, source, FixedClock(self.world.now), first=first, last=last, pace=pace)

    def vouched(self, table: str) -> list[dict[str, Any]]:
        """Rows of a raw table that a reading vouches for."""
        return self.warehouse.rows(
            f"select rows.* from {table} as rows join raw.pull_readings using (reading_id) order by row_id"
        )

    def paths(self, provider: str) -> list[str]:
        """Paths that a provider was asked for, in order."""
        return [call.path for call in self.world.calls if call.provider == provider]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    world = seeded_world(3, NOW)
    # One account each, and its last week: what is tested does not need more.
    world.ads = {
        (platform, account): [row for row in rows if row.day > TODAY - 7 * DAY]
        for (platform, account), rows in world.ads.items()
        if account.endswith("001")
    }
    with played_channels(world) as address:
        for name, value in variables(world, address).items():
            monkeypatch.setenv(name, value)
        yield Stage(world, Warehouse(tmp_path))


def ad_day(name: str, day: dt.date, clicks: int, micros: int = 1_000_000, conversions: float = 0.0) -> AdDay:
    """One ad's day with given figures."""
    return AdDay("c1", f"c1s{name}", f"c1s{name}a1", day, 100 * clicks, clicks, micros, conversions, conversions * 10)
