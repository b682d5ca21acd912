"""Variance reduction, lift and complier effect of a live experiment against numpy on the people themselves."""

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from orchestration.edges.dbt import DbtProject
from orchestration.edges.warehouse import Warehouse
from tests import references as ref
from tests.dbt.conftest import SEEDS
from tests.dbt.retelling import ALPHA, RATE

STARTS = dt.datetime.fromisoformat("2026-02-02T09:00:00")
SHARES = {"plain": 0.4, "asks": 0.4, "holdout": 0.2}
ROLES = {"plain": "baseline", "asks": "explore", "holdout": "holdout"}
PEOPLE = 900


@dataclass(frozen=True)
class Sent:
    """One send as it happened: arm of each person (order of SHARES), orders before and after, and whether the message arrived."""

    arms: NDArray[np.int64]
    before: ref.Floats
    after: ref.Floats
    reached: ref.Floats
    warehouse: Warehouse


@pytest.fixture(scope="module")
def sent(project: DbtProject, tmp_path_factory: pytest.TempPathFactory) -> Sent:
    rng = np.random.default_rng(7)
    arms = rng.choice(len(SHARES), size=PEOPLE, p=list(SHARES.values()))
    habit = rng.gamma(1.0, 1.0, size=PEOPLE)
    reached = (rng.random(PEOPLE) < 0.85) & (arms != 2)
    before, after = rng.poisson(habit), rng.poisson(habit * (0.4 + 0.3 * reached * (1 + (arms == 1))))
    warehouse = Warehouse(tmp_path_factory.mktemp("live"))
    warehouse.migrate()
    _fill(warehouse, arms, before, after, reached)
    project.build(warehouse, select=list(SEEDS), command="seed")
    project.build(warehouse, select=["+experiment_contrasts", "+experiment_verdicts"], command="run")
    return Sent(arms, before.astype(float), after.astype(float), reached.astype(float), warehouse)


def test_the_covariate_takes_noise_away_as_in_the_reference(sent: Sent) -> None:
    (row,) = _contrasts(sent, "asks")
    mean, baseline, error, lift_error = ref.cuped_difference(1, 0, sent.arms, sent.after, sent.before)
    units = row["n"] + row["baseline_n"]
    assert row["is_adjusted"]
    assert [row["mean"], row["baseline_mean"], row["standard_error"]] == pytest.approx(
        [mean, baseline, error], rel=1e-9
    )
    assert row["lift"] == pytest.approx(mean / baseline - 1, rel=1e-9)
    width = ref.half_width(lift_error, units, RATE, ALPHA) / (mean / baseline)
    assert np.log((1 + row["lift_high"]) / (1 + row["lift"])) == pytest.approx(width, rel=1e-9)
    assert np.log((1 + row["lift"]) / (1 + row["lift_low"])) == pytest.approx(width, rel=1e-9)
    plain = np.sqrt(sum(sent.after[sent.arms == arm].var(ddof=1) / (sent.arms == arm).sum() for arm in (0, 1)))
    assert error < plain


def test_the_complier_effect_equals_the_reference(sent: Sent) -> None:
    (row,) = _contrasts(sent, "holdout")
    groups = [sent.arms == 2, sent.arms == 0]
    effect, error = ref.complier_effect(
        (sent.after[groups[0]], sent.after[groups[1]]), (sent.reached[groups[0]], sent.reached[groups[1]])
    )
    assert row["complier_effect"] == pytest.approx(effect, rel=1e-9)
    assert row["complier_effect_error"] == pytest.approx(error, rel=1e-9)


def test_nobody_counts_before_the_window_has_passed(sent: Sent) -> None:
    looks = sent.warehouse.rows("select distinct cycle from marts.experiment_statistics")
    assert looks == [{"cycle": 202607}]
    verdicts = sent.warehouse.rows("select distinct is_mature from marts.experiment_verdicts")
    assert verdicts == [{"is_mature": True}]


def test_where_it_is_known_whom_the_message_reached_nothing_is_withheld(sent: Sent) -> None:
    told = sent.warehouse.rows(
        "select distinct n_exposed is null as is_null, exposure_withheld_reason from marts.experiment_statistics"
    )
    assert told == [{"is_null": False, "exposure_withheld_reason": None}]
    reasons = {
        row["creative_id"]: row["complier_effect_withheld_reason"]
        for row in _contrasts(sent, "asks") + _contrasts(sent, "holdout")
    }
    assert reasons == {"asks": "the shares reached differ by no more than 0.05", "holdout": None}


@pytest.mark.parametrize(
    ("channel", "reason"),
    [
        ("email", "no delivery had been reported when the people were counted"),
        ("social", "channel social has no delivery event"),
        ("in_app", "channel in_app has no delivery event"),
    ],
)
def test_reach_that_nobody_reports_is_unknown_and_not_nought(
    project: DbtProject, tmp_path: Path, channel: str, reason: str
) -> None:
    arms, nobody = np.arange(PEOPLE) % 3, np.zeros(PEOPLE)
    warehouse = Warehouse(tmp_path)
    warehouse.migrate()
    _fill(warehouse, arms, nobody.astype(int), np.arange(PEOPLE) % 4, nobody, channel)
    project.build(warehouse, select=list(SEEDS), command="seed")
    models = ["+experiment_contrasts", "+experiment_health"]
    project.build(warehouse, select=models, command="run")
    statistics = warehouse.rows(
        "select distinct n_exposed, sum_y_exposed, exposure_withheld_reason from marts.experiment_statistics"
    )
    assert statistics == [{"n_exposed": None, "sum_y_exposed": None, "exposure_withheld_reason": reason}]
    contrasts = warehouse.rows(
        """
        select distinct complier_effect, complier_effect_error, complier_effect_withheld_reason as reason
        from marts.experiment_contrasts
        """
    )
    assert contrasts == [{"complier_effect": None, "complier_effect_error": None, "reason": reason}]
    (health,) = warehouse.rows(
        "select messages_planned, messages_sent, messages_withheld_reason from marts.experiment_health"
    )
    assert health == {
        "messages_planned": 0, "messages_sent": None, "messages_withheld_reason": "dry run: nothing was handed over",
    }  # fmt: skip


def _contrasts(sent: Sent, creative: str) -> list[dict[str, Any]]:
    return sent.warehouse.rows("select * from marts.experiment_contrasts where creative_id = ?", [creative])


def _fill(warehouse: Warehouse, arms: Any, before: Any, after: Any, reached: Any, channel: str = "email") -> None:
    metric = {"name": "order", "event": "Order Completed", "within_days": 3, "value": "count", "cap": None}
    spec = {"channel": channel, "metrics": [{**metric, "role": "objective", "harm": None, "margin": None}], "tags": []}
    fixed = {"program": "news", "recorded_at": STARTS}
    looks = {202606: STARTS + dt.timedelta(days=2), 202607: STARTS + dt.timedelta(days=7)}
    people = [f"u{number}" for number in range(PEOPLE)]
    send = {"experiment_id": "e1", "segment": "all people", "assigned_at": STARTS}
    events = [
        ("Order Completed", person, STARTS + dt.timedelta(days=days), None)
        for counts, days in (
            (before, -5),
            (after, 1),
            (before, -40),
            (after, 6),
        )  # the last two lie outside both windows
        for person, count in zip(people, counts, strict=True)
        for _ in range(count)
    ] + [
        ("Email Delivered", person, STARTS, "e1")
        for person, is_reached in zip(people, reached, strict=True)
        if is_reached
    ]
    tables = {
        "ledger.programs": [{**fixed, "version": "v1", "spec": json.dumps(spec)}],
        "ledger.cycles": [{**fixed, "cycle": c, "as_of": at, "program_version": "v1"} for c, at in looks.items()],
        "ledger.experiments": [
            {**fixed, "experiment_id": "e1", "cycle": 202606, "send_number": 1, "starts_at": STARTS, "salt": "", "tags_by_design": True}
        ],
        "ledger.arms": [
            {**send, "creative_id": arm, "arm_number": n, "role": ROLES[arm], "planned_share": SHARES[arm], "recorded_at": STARTS}
            for n, arm in enumerate(SHARES)
        ],
        "ledger.assignments": [
            {**send, "user_id": person, "creative_id": list(SHARES)[arm], "probability": list(SHARES.values())[arm]}
            for person, arm in zip(people, arms, strict=True)
        ],
        "raw.events": [
            {
                "event_id": str(number), "source": "shop", "type": "track", "event_name": name, "user_id": person,
                "occurred_at": at, "received_at": at, "ingested_at": at, "experiment_id": experiment, "import_id": "i",
                "schema_version": 1,
            }
            for number, (name, person, at, experiment) in enumerate(events)
        ],
    }  # fmt: skip
    with warehouse.connect() as connection:
        for table, rows in tables.items():
            names = connection.execute(f"select * from {table} limit 0").description
            frame = pd.DataFrame(rows)
            kept = [name for name, *_ in names if name in frame.columns]
            connection.register("told", frame[kept])
            connection.execute(f"insert into {table} by name select * from told")
            connection.unregister("told")
