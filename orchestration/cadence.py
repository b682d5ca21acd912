"""Cycles as Dagster partitions: one a week (from Monday) or one a day, as ``LOOP_CADENCE`` says."""

import datetime as dt

import dagster as dg

from orchestration.edges.clock import cycle_of, start_of
from orchestration.settings import read_settings

FIRST_DAY = "2025-01-06"  # a Monday; cycles before it cannot be run
CADENCE = read_settings().cadence
ONE_BY_ONE = dg.BackfillPolicy.multi_run(max_partitions_per_run=1)  # a cycle may need what the one before it left

PARTITIONS: dg.TimeWindowPartitionsDefinition = (
    dg.WeeklyPartitionsDefinition(start_date=FIRST_DAY, day_offset=1, end_offset=1)
    if CADENCE == "weekly"
    else dg.DailyPartitionsDefinition(start_date=FIRST_DAY, end_offset=1)
)


def cycle_of_key(key: str) -> int:
    """The cycle of a partition key (an ISO date)."""
    return cycle_of(dt.date.fromisoformat(key), CADENCE)


def key_of_cycle(cycle: int) -> str:
    """The partition key of a cycle."""
    return start_of(cycle, CADENCE).isoformat()
