"""Whatever a careless file holds ends in a verdict with its reason or in quarantine with one, through the backtest's own path."""

import datetime as dt

import duckdb
import numpy as np
import pandas as pd
import pytest

from orchestration.edges.clock import FixedClock
from orchestration.edges.dbt import DbtProject
from orchestration.learn.backtest import Backtest, backtest
from orchestration.learn.taxonomy import Taxonomy
from orchestration.measure.mapping import Mapping

TEXTS = (
    "\u4f60\u597d\uff1f \u0645\u0631\u062d\u0628\u0627 \U0001f44b \u200f\u05e9\u05dc\u202e \x07 " + "a\u0301" * 40,
    "\\0'; drop table x; -- \ufffd",
)
COLUMNS = ("experiment_id", "cycle", "creative_id", "segment", "metric", "n", "sum_y", "sum_y2", "is_baseline")
ROWS: list[tuple[object, ...]] = [
    ("sound", 1, "a", "all", "click", 1000, 50, None, True),
    ("sound", 1, "b", "all", "click", 1000, 90, None, False),
    ("zero_variance", 1, "a", "all", "spend", 1000, 2000, 4000, True),
    ("zero_variance", 1, "b", "all", "spend", 1000, 2000, 4000, False),
    ("negative_variance", 1, "a", "all", "spend", 1000, 2000, 8000, True),
    ("negative_variance", 1, "b", "all", "spend", 1000, 2000, 10, False),
    ("all_zero", 1, "a", "all", "click", 1000, 0, None, True),
    ("all_zero", 1, "b", "all", "click", 1000, 0, None, False),
    ("one_arm", 1, "a", "all", "click", 1000, 50, None, True),
    ("no_baseline", 1, "a", "all", "click", 1000, 50, None, False),
    ("no_baseline", 1, "b", "all", "click", 1000, 60, None, False),
    ("late_metric", 1, "a", "all", "click", 1000, 50, None, True),
    ("late_metric", 1, "b", "all", "click", 1000, 55, None, False),
    ("late_metric", 3, "b", "all", "order", 1000, 55, None, False),
    ("doubled", 1, "a", "all", "click", 1000, 50, None, True),
    ("doubled", 1, "b", "all", "click", 1000, 55, None, False),
    ("doubled", 1, "b", "all", "click", 1000, 55, None, False),
    ("above", 1, "a", "all", "click", 1000, 1050, None, True),
    ("above", 1, "b", "all", "click", 1000, 55, None, False),
    ("huge", 1, "a", "all", "spend", 1000, 2e13, 9e23, True),
    ("huge", 1, "b", "all", "spend", 1000, 2e13, 9e23, False),
    ("too_huge", 1, "a", "all", "spend", 1000, 2e13, 1e24, True),
    ("too_huge", 1, "b", "all", "spend", 1000, 1e15, 1e24, False),
    ("vanishing", 1, "a", "old", "click", 1000, 50, None, True),
    ("vanishing", 1, "b", "old", "click", 1000, 55, None, False),
    ("vanishing", 1, "a", "new", "click", 500, 50, None, True),
    ("vanishing", 1, "b", "new", "click", 500, 55, None, False),
    ("vanishing", 2, "a", "new", "click", 500, 50, None, True),
    ("vanishing", 2, "b", "new", "click", 500, 55, None, False),
]
NO_DIFFERENCE = ("withheld", "the interval still holds no difference")
ONE_ARM = ("withheld", "one arm only: there is nothing to compare it with")
NO_BASELINE = ("withheld", "no baseline: the experiment does not say which arm the others are compared with")
EXPECTED = {
    ("sound", "b", "all", "click"): ("win", "the whole interval lies above no difference"),
    ("zero_variance", "b", "all", "spend"): ("not_enough_data", "the outcome does not vary: nothing can be compared"),
    ("negative_variance", "a", "all", "spend"): ONE_ARM,
    ("all_zero", "b", "all", "click"): ("not_enough_data", "5 more conversions are needed in the smaller arm"),
    ("one_arm", "a", "all", "click"): ONE_ARM,
    ("no_baseline", "a", "all", "click"): NO_BASELINE,
    ("no_baseline", "b", "all", "click"): NO_BASELINE,
    ("late_metric", "b", "all", "click"): NO_DIFFERENCE,
    ("late_metric", "b", "all", "order"): ("withheld", "nobody is counted in the baseline yet"),
    ("doubled", "b", "all", "click"): NO_DIFFERENCE,
    ("above", "b", "all", "click"): ONE_ARM,
    ("huge", "b", "all", "spend"): NO_DIFFERENCE,
    ("vanishing", "b", "old", "click"): NO_DIFFERENCE,
    ("vanishing", "b", "new", "click"): NO_DIFFERENCE,
}


@pytest.fixture(scope="module")
def done(project: DbtProject, tmp_path_factory: pytest.TempPathFactory) -> Backtest:
    folder = tmp_path_factory.mktemp("careless")
    frame = pd.DataFrame(ROWS, columns=list(COLUMNS)).assign(program="p")
    frame["text"] = np.where(frame.creative_id == "a", *TEXTS)
    frame.to_parquet(folder / "results.parquet", index=False)
    clock = FixedClock(dt.datetime.fromisoformat("2026-01-05"))
    columns = Mapping.of({"kind": "results"})
    return backtest(folder / "results.parquet", folder / "out", columns, clock, dbt=project, taxonomy=Taxonomy.load())


def test_every_arm_is_answered_with_a_reason(done: Backtest) -> None:
    keys = ("experiment_id", "creative_id", "segment", "metric")
    found = {tuple(row[key] for key in keys): (row["verdict"], row["reason"]) for row in done.verdicts}
    assert found == EXPECTED


def test_impossible_rows_are_set_aside_and_named(done: Backtest) -> None:
    assert sum(done.imported.reasons.values()) == 5
    named = " ".join(done.imported.reasons)
    assert "clicks above impressions" in named
    assert "duplicated increment" in named
    assert "sum_y2 is smaller than" in named
    assert "sum_y is too large" in named
    assert "sum_y2 is too large" in named


def test_no_number_of_the_output_is_infinite_or_invented(done: Backtest) -> None:
    learned = (
        duckdb.connect().execute(f"select effect, e_value from '{done.learnings}' where n_experiments > 0").fetchnumpy()
    )
    for values in learned.values():
        assert np.isfinite(np.ma.compressed(values)).all()
    health = dict(
        duckdb.connect().execute(f"select experiment_id, max(status) from '{done.health}' group by 1").fetchall()
    )
    assert health == {
        **{row[0]: "healthy" for row in EXPECTED},
        **dict.fromkeys(("one_arm", "negative_variance", "above"), "not_comparable"),
    }
