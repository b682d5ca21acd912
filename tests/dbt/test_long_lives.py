"""What years of cycles, late files and the loop's own value come to."""

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from orchestration.edges.dbt import DbtProject
from orchestration.edges.warehouse import Warehouse
from tests import references as ref
from tests.dbt.conftest import SEEDS
from tests.dbt.past_experiments import Increment, warehouse_with
from tests.dbt.retelling import ALPHA, HALF_LIFE, MIN_EXPERIMENTS, RATE

CYCLES = 2000
TREND_SD = 0.01


def _pair(cycle: int, converted: tuple[int, int], experiment: str | None = None) -> list[Increment]:
    return [
        Increment(
            "daily", cycle, experiment or f"e{cycle}", arm, "all", "click", 500.0, float(y), None, None, arm == "plain", True,
            f"{arm} {cycle}", [] if arm == "plain" else ["question"], cycle, f"file {cycle}",
        )
        for arm, y in zip(("plain", "asks"), converted, strict=True)
    ]  # fmt: skip


def test_two_thousand_cycles_are_not_too_many(project: DbtProject, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    tried = sorted({*rng.choice(np.arange(1, CYCLES), 150, replace=False).tolist(), CYCLES})
    quiet = range(900, 1400)  # an epoch in which nothing was tried
    rows = [row for cycle in tried if cycle not in quiet for row in _pair(cycle, tuple(rng.binomial(500, 0.1, size=2)))]
    looks = [row for cycle in range(1, CYCLES + 1) for row in _pair(cycle, (50, 50), f"silent{cycle}")[1:]]
    warehouse = warehouse_with(tmp_path, [*rows, *looks])
    project.build(warehouse, select=list(SEEDS), command="seed")
    project.build(warehouse, select=["+int_learnings__recency"], command="run")
    x = {
        row["cycle_number"]: row["standardised_contrast"]
        for row in warehouse.rows("select * from intermediate.int_learnings__tag_contrasts where segment = 'all'")
    }
    found = {
        row["cycle_number"]: row["recent_z"]
        for row in warehouse.rows("select * from intermediate.int_learnings__recency where recent_z is not null")
    }
    assert max(found) == CYCLES
    for look in (min(found), 415, 417, 833, 1399, 1700, CYCLES):
        earlier = np.array([cycle for cycle in x if cycle <= look])
        weights = 2.0 ** ((earlier - earlier.max()) / HALF_LIFE)
        expected = float(weights @ [x[cycle] for cycle in earlier]) / float(np.linalg.norm(weights))
        assert found[look] == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_a_late_file_does_not_move_earlier_health(project: DbtProject, tmp_path: Path) -> None:
    rows = [row for cycle in (1, 2, 3) for row in _pair(cycle, (50, 55))]
    told = [replace(row, planned_share=0.5) for row in rows]
    late = [replace(row, creative_id="late", cycle=4, closes_in_cycle=4, import_id="file 4") for row in told[1::2]]

    def health(folder: Path, rows: list[Increment]) -> list[dict[str, object]]:
        warehouse = warehouse_with(folder, rows)
        project.build(warehouse, select=list(SEEDS), command="seed")
        project.build(warehouse, select=["+experiment_health"], command="run")
        return warehouse.rows("select * from marts.experiment_health where cycle <= 3 order by all")

    before = health(tmp_path / "before", told)
    assert [row["status"] for row in before] == ["healthy"] * 3
    assert repr(health(tmp_path / "after", [*told, *late])) == repr(before)


def test_the_trend_of_the_loops_value_equals_the_reference(project: DbtProject, tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    place = np.array([1.0, 2, 3, 5, 6, 8, 9, 10, 11, 12])
    weight = rng.uniform(200, 2000, size=10)
    ratio = {"growing": 0.05 * place, "flat": np.full(10, 0.002), "fading": -0.06 * place}
    frame = pd.concat(
        pd.DataFrame(
            {
                "program": name, "against": "control", "cycle": place.astype(int), "place": place, "units": 1000.0,
                "weighted": 100.0 * np.expm1(y), "weighted_other": 100.0, "weighted_variance": 1e4 / weight,
                "log_ratio": y, "log_ratio_weight": weight,
            }
        )
        for name, y in ((name, line + rng.normal(0, 1 / np.sqrt(weight))) for name, line in ratio.items())
    )  # fmt: skip
    warehouse = _with_cycles(project, tmp_path, frame)
    words = {}
    for name, of in frame.groupby("program"):
        rows = warehouse.rows("select * from marts.loop_value where program = ? order by cycle", [name])
        for count, row in enumerate(rows, 1):
            y = of.log_ratio.to_numpy()[:count]
            expected = ref.trend(place[:count], y, weight[:count], TREND_SD, ALPHA) if count >= 3 else None
            if expected is None:
                assert row["trend"] is None
                assert row["reason"].endswith("too few cycles for a trend")
            else:
                assert [row["trend"], row["trend_low"], row["trend_high"]] == pytest.approx(
                    expected, rel=1e-8, abs=1e-10
                )
            units, told = np.full(count, 1000.0), of.weighted.to_numpy()[:count] / 1000.0
            least = float(np.sqrt(of.weighted_variance.to_numpy()[:count].sum())) / units.sum()
            bounds = ref.mean_of_cycles(units, told, least, RATE, ALPHA) if count >= MIN_EXPERIMENTS else None
            if bounds is None:
                assert (row["difference_low"], row["verdict"]) == (None, "not_told_yet")
            else:
                assert [row["difference_low"], row["difference_high"]] == pytest.approx(bounds, rel=1e-8, abs=1e-10)
        words[name] = (rows[-1]["verdict"], rows[-1]["reason"].split("; ")[1])
    assert words == {
        "growing": ("worth_it", "it grows from cycle to cycle"),
        "flat": ("not_told_yet", "no trend is told from noise"),
        "fading": ("not_worth_it", "it fades from cycle to cycle"),
    }


def test_a_cycle_without_earnings_has_no_trend_and_no_crash(project: DbtProject, tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "program": "poor", "against": "baseline", "cycle": [1, 2, 3, 4], "place": [1.0, 2, 3, 4], "units": 100.0,
            "weighted": 0.0, "weighted_other": 0.0, "weighted_variance": 0.0, "log_ratio": pd.array([None] * 4, "Float64"),
            "log_ratio_weight": pd.array([None] * 4, "Float64"),
        }
    )  # fmt: skip
    (last,) = _with_cycles(project, tmp_path, frame).rows("select * from marts.loop_value where cycle = 4")
    assert (last["trend"], last["lift"], last["verdict"]) == (None, None, "not_told_yet")


def _with_cycles(project: DbtProject, folder: Path, frame: pd.DataFrame) -> Warehouse:
    """A warehouse in which ``loop_value`` is built on these cycles."""
    warehouse = Warehouse(folder)
    warehouse.migrate()
    at = dt.datetime.fromisoformat("2026-01-05")
    spec = json.dumps({"metrics": [], "tags": []})
    programs = pd.DataFrame(
        [{"program": name, "version": "v", "spec": spec, "recorded_at": at} for name in frame.program.unique()]
    )
    with warehouse.connect() as connection:
        connection.register("told", programs)
        connection.execute("insert into ledger.programs by name select * from told")
        connection.register("cycles", frame)
        connection.execute("create schema if not exists intermediate")
        connection.execute("create table intermediate.int_learnings__loop_cycles as from cycles")
    project.build(warehouse, select=list(SEEDS), command="seed")
    project.build(warehouse, select=["+int_policy", "loop_value"], command="run")
    return warehouse
