"""The self-audit at sizes at which small arms stand among large ones: there a log rate of few conversions would pass for an effect."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from orchestration.edges.clock import FixedClock
from orchestration.edges.dbt import DbtProject
from orchestration.learn.audit import Setting, audit, simulate
from orchestration.programs.definition import Thresholds

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
    true = Setting(programs=5, cycles=14, segments=1, units=200_000, rate=0.05, effects=(0.405, 0.0))
    found = [audit(replace(true, units=units), seed=4, dbt=DbtProject(), clock=CLOCK) for units in (20_000, 200_000)]
    waits = [one.median_cycle for one in found]
    assert None not in waits, "found in less than half of the programs"
    assert waits[1] <= waits[0] + 1


@pytest.mark.slow
def test_what_conversions_are_worth_teaches_nothing_either() -> None:
    worth = Setting(
        programs=25, cycles=20, segments=1, units=20_000, rate=0.02, effects=(0.0, 0.0), smaller=0.1, value_sd=1.0
    )
    assert audit(worth, seed=5, dbt=DbtProject(), clock=CLOCK).ever_false <= 0.12


def test_conversions_are_worth_one_on_average_and_spread_as_asked() -> None:
    told = simulate(Setting(3, 5, 2, 20_000, 0.5, (0.0,), value_sd=0.8), np.random.default_rng(1))
    conversions = 10_000 * len(told)
    assert told.sum_y.sum() / conversions == pytest.approx(1, abs=0.01)
    assert told.sum_y2.sum() / conversions == pytest.approx(np.exp(0.8**2), rel=0.05)
    assert len(told) == 3 * 5 * 2 * 2


@pytest.mark.slow
def test_it_judges_by_the_thresholds_of_a_program() -> None:
    true = Setting(programs=3, cycles=12, segments=1, units=20_000, rate=0.05, effects=(0.7, 0.0))
    least = Thresholds(min_experiments=13)  # all of them are found without
    assert audit(true, seed=6, dbt=DbtProject(), clock=CLOCK, thresholds=least).found == 0
