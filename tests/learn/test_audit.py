"""The self-audit at sizes at which small arms stand among large ones: there a log rate of few conversions would pass for an effect."""

import datetime as dt
from dataclasses import replace

import pytest

from orchestration.edges.clock import FixedClock
from orchestration.edges.dbt import DbtProject
from orchestration.learn.audit import Setting, audit

CLOCK = FixedClock(dt.datetime.fromisoformat("2026-01-05"))
NOTHING = Setting(programs=25, cycles=20, segments=1, units=10_000, rate=0.005, effects=(0.0, 0.0), smaller=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("smaller", [0.01, 0.1])
def test_small_arms_among_large_ones_teach_nothing(smaller: float) -> None:
    """A hundred people expect half a conversion, a thousand five: the least that takes part."""
    found = audit(replace(NOTHING, smaller=smaller), seed=3, dbt=DbtProject(), clock=CLOCK)
    assert found.ever_false <= 0.12  # 5 % of 25 programs, and chance


@pytest.mark.slow
def test_more_people_do_not_learn_later() -> None:
    """+50 % at ten times the people: the first contrasts must not be taken for spread."""
    true = Setting(programs=8, cycles=16, segments=1, units=200_000, rate=0.05, effects=(0.405, 0.0))
    found = [audit(replace(true, units=units), seed=4, dbt=DbtProject(), clock=CLOCK) for units in (20_000, 200_000)]
    waits = [one.median_cycle for one in found]
    assert None not in waits, "found in less than half of the programs"
    assert waits[1] <= waits[0] + 1
