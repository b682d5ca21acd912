"""The planner against the test it plans for, and the audit's counting against a claim made by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from orchestration.learn.audit import Setting, judge
from orchestration.learn.planning import plan
from tests.references import log_e_t

LIST = {"rate": 0.1, "people_per_arm": 4000, "experiments_per_week": 2.0, "tags": 8, "creative_sd": 0.06}


def test_four_of_five_true_effects_are_proved_when_the_plan_says_so() -> None:
    made = plan(effect=0.2, **LIST)
    assert made.experiments is not None
    x = np.random.default_rng(1).normal(made.signal, 1, size=(200, made.experiments))
    bar = np.log(8 / 0.05)
    proved = [any(log_e_t(path[:looks], 0.25) >= bar for looks in range(5, len(path) + 1)) for path in x]
    assert np.mean(proved) == pytest.approx(0.8, abs=0.09)
    assert made.weeks == made.experiments / 2


def test_smaller_effects_and_lists_need_more_and_tiny_ones_are_refused() -> None:
    waits = [plan(effect=effect, **LIST).experiments for effect in (0.4, 0.2, 0.1)]
    assert waits == sorted(waits)
    assert plan(effect=0.01, **{**LIST, "people_per_arm": 50}).experiments is None


def test_the_audit_counts_claims_without_effect_and_with_the_wrong_sign(tmp_path: Path) -> None:
    claims = [
        ("p00000", 3, "tag_1", 0.2),
        ("p00000", 4, "tag_1", 0.2),
        ("p00001", 2, "tag_2", 0.1),
        ("p00002", 4, "tag_1", -0.1),
    ]
    rows = [(program, cycle, tag, "all", "active", effect) for program, cycle, tag, effect in claims]
    file = tmp_path / "learnings.parquet"
    pd.DataFrame(rows, columns=["program", "cycle", "tag", "segment", "status", "effect"]).to_parquet(file)
    found = judge(Setting(4, 4, 1, 100, 0.1, (0.2, 0.0)), file)
    assert (found.ever_false, found.false_share, found.found) == (0.5, 0.25, 0.25)
    assert found.boast == pytest.approx(1.0)
