"""Calls that a platform allows only so many of per day, counted in the warehouse so that every run and machine knows of them."""

from orchestration.edges.clock import Clock
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.measure.pulls.definition import Source


class Allowance:
    """The day's calls of one source and account; a day is one of UTC, which no platform's day exceeds."""

    def __init__(self, warehouse: Warehouse, source: Source, account_id: str, clock: Clock) -> None:
        self._warehouse, self._source, self._account, self._clock = warehouse, source, account_id, clock

    def take(self) -> None:
        """Counts one call before it is made: a call that fails may have been counted by the platform.

        Raises:
            Refusal: if none is left today.
        """
        if self._source.daily_calls is None:
            return
        now = self._clock.now()
        [row] = self._warehouse.rows(
            "select count(*) as calls from raw.pull_calls where source = ? and account_id = ? and called_at >= ?",
            [self._source.name, self._account, now.replace(hour=0, minute=0, second=0, microsecond=0)],
        )
        if row["calls"] >= self._source.daily_calls:
            raise Refusal(
                f"source {self._source.name}",
                f"the {self._source.daily_calls} calls of today are used up",
                "Run the same command tomorrow: it goes on where it stopped.",
            )
        self._warehouse.append(
            {"raw.pull_calls": [{"source": self._source.name, "account_id": self._account, "called_at": now}]}
        )
