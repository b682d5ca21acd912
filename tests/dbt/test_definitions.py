"""What an experiment counts: by the definition it started under, its own program's rows, and in batches the same as at the end."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from orchestration.edges.clock import FixedClock
from orchestration.edges.dbt import DbtProject
from orchestration.edges.warehouse import Warehouse
from orchestration.measure.imports import import_file
from orchestration.measure.mapping import Mapping
from tests.dbt.conftest import SEEDS

STARTS = dt.datetime.fromisoformat("2026-02-02T09:00:00")
COUNTED = "+int_experiments__unit_outcomes"
Event = tuple[str, str, float, float | None]  # name, person, days after the start, value


def on(days: float) -> dt.datetime:
    return STARTS + dt.timedelta(days=days)


def metric(name: str, event: str, within_days: int, **more: Any) -> dict[str, Any]:
    return {"name": name, "event": event, "within_days": within_days, "value": "any", "role": "objective", **more}


def define(
    warehouse: Warehouse,
    version: str,
    days: float,
    *metrics: dict[str, Any],
    batches: int = 1,
    steps: tuple[str, ...] = (),
) -> None:
    program = {"channel": "email", "metrics": list(metrics), "tags": [], "experiments": {"batches": batches}}
    spec = json.dumps(program | ({"activation": {"steps": steps, "within_days": 7}} if steps else {}))
    add(warehouse, "ledger.programs", [{"program": "news", "version": version, "spec": spec, "recorded_at": on(days)}])


def look(warehouse: Warehouse, cycle: int, days: float) -> None:
    row = {"program": "news", "cycle": cycle, "as_of": on(days), "program_version": "v1", "recorded_at": on(days)}
    add(warehouse, "ledger.cycles", [row])


def launch(
    warehouse: Warehouse, name: str, days: float, batches: dict[int, list[tuple[str, int]]], *, planned: bool = False
) -> None:
    """An experiment with an arm `a` (the baseline) and others; batch -> people of each arm, called e.g. `e1/1/a0`."""
    fixed = {"experiment_id": name, "segment": "s", "recorded_at": on(days)}
    arms = sorted({arm for people in batches.values() for arm, _ in people})
    experiment = {
        "program": "news",
        "cycle": 202606,
        "send_number": 1,
        "starts_at": on(days),
        "salt": "",
        "tags_by_design": True,
    }
    add(warehouse, "ledger.experiments", [{**fixed, **experiment}])
    add(warehouse, "ledger.arms", [
        {**fixed, "creative_id": arm, "arm_number": at, "planned_share": 1 / len(arms), "role": "baseline" if arm == "a" else "exploit"}
        for at, arm in enumerate(arms)
    ])  # fmt: skip
    add(warehouse, "ledger.assignments", [
        {**fixed, "user_id": f"{name}/{batch}/{arm}{number}", "creative_id": arm, "probability": 0.5, "assigned_at": on(days),
         "batch": batch}
        for batch, people in batches.items() for arm, count in people for number in range(count)
    ])  # fmt: skip
    if planned:
        add(warehouse, "ledger.allocations", [
            {**fixed, "batch": batch, "creative_id": arm, "probability": count / sum(n for _, n in people), "units_seen": 0.0,
             "sum_seen": 0.0, "reason": "adapted"}
            for batch, people in batches.items() for arm, count in people
        ])  # fmt: skip


def happen(warehouse: Warehouse, events: list[Event]) -> None:
    add(warehouse, "raw.events", [
        {
            "event_id": f"{name}/{person}/{days}", "source": "shop", "type": "track", "event_name": name, "user_id": person,
            "occurred_at": on(days), "received_at": on(days), "ingested_at": on(days), "value": value,
            "currency": None if value is None else "GBP", "import_id": "i", "schema_version": 1,
        }
        for name, person, days, value in events
    ])  # fmt: skip


def add(warehouse: Warehouse, table: str, rows: list[dict[str, Any]]) -> None:
    with warehouse.connect() as connection:
        names = [column[0] for column in connection.execute(f"select * from {table} limit 0").description]
        frame = pd.DataFrame(rows)
        connection.register("told", frame[[name for name in names if name in frame.columns]])
        connection.execute(f"insert into {table} by name select * from told")
        connection.unregister("told")


@pytest.fixture
def warehouse(project: DbtProject, tmp_path: Path) -> Warehouse:
    made = Warehouse(tmp_path)
    made.migrate()
    project.build(made, select=list(SEEDS), command="seed")
    return made


def build(project: DbtProject, warehouse: Warehouse, *models: str) -> None:
    project.build(warehouse, select=list(models), exclude=["resource_type:seed"], command="run")
    project.build(warehouse, select=[model.lstrip("+") for model in models], exclude=["test_type:unit"], command="test")


def counted(warehouse: Warehouse, experiment: str) -> list[tuple[str, int, int, float]]:
    """Metric, the cycle that counted it, people and the sum of their outcomes."""
    rows = warehouse.rows(
        """
        select metric, counted_in_cycle as cycle, count(*) as people, count(distinct user_id) as persons, sum(outcome) as total
        from intermediate.int_experiments__unit_outcomes
        where experiment_id = ? group by all order by all
        """,
        [experiment],
    )
    assert all(row["people"] == row["persons"] for row in rows)
    return [(row["metric"], row["cycle"], row["people"], row["total"]) for row in rows]


def test_a_window_that_gets_longer_counts_nobody_twice_and_holds_for_later_experiments(
    project: DbtProject, warehouse: Warehouse
) -> None:
    define(warehouse, "v1", 0, metric("click", "Email Link Clicked", 3))
    launch(warehouse, "e1", 0, {1: [("a", 5), ("b", 5)]})
    happen(warehouse, [("Email Link Clicked", "e1/1/a0", 1.0, None), ("Email Link Clicked", "e1/1/a1", 5.0, None)])
    look(warehouse, 202606, 5)
    build(project, warehouse, COUNTED)
    assert counted(warehouse, "e1") == [("click", 202606, 10, 1.0)]
    more = metric("order", "Order Completed", 2)
    define(warehouse, "v2", 6, metric("click", "Email Link Clicked", 7), more)
    launch(warehouse, "e2", 6, {1: [("a", 5), ("b", 5)]})
    happen(warehouse, [("Email Link Clicked", "e2/1/b0", 11.0, None), ("Order Completed", "e2/1/b0", 7.0, None)])
    look(warehouse, 202607, 12)
    build(project, warehouse, COUNTED)
    assert counted(warehouse, "e1") == [("click", 202606, 10, 1.0)]
    assert counted(warehouse, "e2") == [("order", 202607, 10, 1.0)]
    look(warehouse, 202608, 15)
    build(project, warehouse, COUNTED)
    assert counted(warehouse, "e2") == [("click", 202608, 10, 1.0), ("order", 202607, 10, 1.0)]


def test_a_window_that_gets_shorter_counts_those_in_flight_by_the_one_they_started_under(
    project: DbtProject, warehouse: Warehouse
) -> None:
    define(warehouse, "v1", 0, metric("click", "Email Link Clicked", 7))
    launch(warehouse, "e1", 0, {1: [("a", 5), ("b", 5)]})
    happen(warehouse, [("Email Link Clicked", "e1/1/a0", 1.0, None), ("Email Link Clicked", "e1/1/a1", 5.0, None)])
    look(warehouse, 202606, 6)
    build(project, warehouse, COUNTED)
    assert counted(warehouse, "e1") == []
    define(warehouse, "v2", 6.5, metric("click", "Email Opened", 3))
    look(warehouse, 202607, 13)
    build(project, warehouse, COUNTED)
    assert counted(warehouse, "e1") == [("click", 202607, 10, 2.0)]


def test_activation_steps_that_change_hold_for_later_experiments(project: DbtProject, warehouse: Warehouse) -> None:
    activated = metric("activated", "Activation Step", 3, value="steps")
    taken = metric("taken", "Activation Step", 3, value="count")
    define(warehouse, "v1", 0, activated, taken, steps=("Product Viewed", "Order Completed"))
    launch(warehouse, "e1", 0, {1: [("a", 5), ("b", 5)]})
    define(warehouse, "v2", 1, activated, taken, steps=("Product Viewed", "Invite Sent"))
    launch(warehouse, "e2", 2, {1: [("a", 5), ("b", 5)]})
    for experiment, days in (("e1", 0), ("e2", 2)):
        person = f"{experiment}/1/a"
        happen(warehouse, [
            ("Product Viewed", f"{person}0", days + 1, None), ("Order Completed", f"{person}0", days + 1.5, None),
            ("Product Viewed", f"{person}1", days + 1, None), ("Invite Sent", f"{person}1", days + 1.5, None),
            ("Invite Sent", f"{person}2", days + 1, None), ("Product Viewed", f"{person}2", days + 1.5, None),
        ])  # fmt: skip
    look(warehouse, 202606, 6)
    build(project, warehouse, COUNTED, "int_experiments__outcome_events", "int_experiments__steps")
    assert counted(warehouse, "e1") == [("activated", 202606, 10, 1.0), ("taken", 202606, 10, 4.0)]
    assert counted(warehouse, "e2") == [("activated", 202606, 10, 1.0), ("taken", 202606, 10, 5.0)]
    [who] = warehouse.rows("""
        select string_agg(user_id, ' ' order by user_id) as people
        from intermediate.int_experiments__unit_outcomes where metric = 'activated' and outcome = 1
    """)
    assert who["people"] == "e1/1/a0 e2/1/a1"


def merge(warehouse: Warehouse, old: str, new: str, days: float) -> None:
    add(warehouse, "raw.events", [
        {
            "event_id": f"alias/{old}/{days}", "source": "shop", "type": "alias", "user_id": new, "occurred_at": on(days),
            "received_at": on(days), "ingested_at": on(days), "properties": json.dumps({"previousId": old}), "import_id": "i",
            "schema_version": 1,
        }
    ])  # fmt: skip


def test_a_person_who_logs_in_after_the_click_is_still_the_one_who_was_assigned(
    project: DbtProject, warehouse: Warehouse
) -> None:
    spend = metric("spend", "Order Completed", 3, value="sum")
    net = metric("net", "Net Revenue", 3, value="sum")
    friends = metric("friends", "Friend Signed Up", 3, value="count")
    define(warehouse, "v1", 0, spend, net, friends)
    launch(warehouse, "e1", 0, {1: [("a", 3), ("b", 3)]})
    happen(warehouse, [
        ("Order Completed", "e1/1/a0", 1, 10.0),  # before the log-in
        ("Order Completed", "known", 2, 100.0),  # after it, under the id that lasts
        ("Order Completed", "e1/1/b0", 1, 7.0),
        ("Order Completed", "e1/1/b1", 1, 5.0),  # two ids of one person, both assigned: each keeps its own
        ("Order Completed", "late", 1, 50.0),  # whose it is becomes known after the look
    ])  # fmt: skip
    merge(warehouse, "e1/1/a0", "known", 1.5)
    merge(warehouse, "e1/1/b1", "e1/1/b0", 1.5)
    look(warehouse, 202606, 5)
    merge(warehouse, "e1/1/a2", "late", 6)
    for _ in range(2):  # as they come, and once more with all that is known by then
        build(project, warehouse, COUNTED, "+int_experiments__batch_progress")
        found = {
            (row["metric"], row["user_id"]): row["outcome"]
            for row in warehouse.rows("select * from intermediate.int_experiments__unit_outcomes where outcome <> 0")
        }
        people = {"e1/1/a0": 110.0, "e1/1/b0": 7.0, "e1/1/b1": 5.0}
        assert found == {(name, person): value for name in ("spend", "net") for person, value in people.items()}
        project.build(warehouse, select=["int_experiments__unit_outcomes"], command="run", full_refresh=True)


def test_sums_of_values_are_exact_and_a_slip_breaks_no_build(project: DbtProject, warehouse: Warehouse) -> None:
    define(warehouse, "v1", 0, metric("spend", "Order Completed", 3, value="sum"))
    launch(warehouse, "e1", 0, {1: [("a", 5), ("b", 5)]})
    tenths = [("Order Completed", "e1/1/a0", 1 + number / 24, 0.1) for number in range(10)]
    happen(warehouse, [*tenths, ("Order Completed", "e1/1/b0", 1.0, 9e13)])
    look(warehouse, 202606, 5)
    build(project, warehouse, COUNTED)
    assert sum([0.1] * 10) != 1
    assert counted(warehouse, "e1") == [("spend", 202606, 10, 1.0 + 1e12)]
    assert warehouse.rows(
        "select outcome from intermediate.int_experiments__unit_outcomes where user_id = 'e1/1/a0'"
    ) == [{"outcome": 1.0}]


def test_growth_metrics_are_known_between_batches_and_can_stop_an_arm(
    project: DbtProject, warehouse: Warehouse
) -> None:
    active = metric("active", "Any Activity", 3)
    days = metric("days", "Any Activity", 3, value="days", role="guardrail", harm="down", margin=0.1)
    revenue = metric("net", "Net Revenue", 3, value="sum", role="guardrail", harm="down", margin=0.1)
    define(warehouse, "v1", 0, active, days, revenue, batches=2)
    launch(warehouse, "e1", 0, {1: [("a", 200), ("b", 200)]}, planned=True)
    views = [
        ("Product Viewed", f"e1/1/{arm}{n}", day, None) for arm in "ab" for n in range(0, 200, 2) for day in (1.0, 2.0)
    ]
    orders = [("Order Completed", f"e1/1/a{n}", 1.5, 20.0 + n) for n in range(0, 200, 2)]
    happen(warehouse, [*views, *orders])
    look(warehouse, 202606, 2.5)
    build(project, warehouse, "+int_experiments__batch_progress", "+int_experiments__stopped_arms")
    rows = warehouse.rows("select * from intermediate.int_experiments__batch_progress")
    found = {(row["metric"], row["creative_id"]): (row["n"], row["sum_y"]) for row in rows}
    earned = float(sum(20 + n for n in range(0, 200, 2)))
    assert found == {
        ("active", "a"): (200, 100), ("active", "b"): (200, 100), ("days", "a"): (200, 200), ("days", "b"): (200, 200),
        ("net", "a"): (200, earned), ("net", "b"): (200, 0),
    }  # fmt: skip
    stopped = warehouse.rows("select creative_id, metric from intermediate.int_experiments__stopped_arms")
    assert stopped == [{"creative_id": "b", "metric": "net"}]


def test_a_past_experiment_of_another_program_with_the_same_id_takes_nothing_from_a_live_one(
    project: DbtProject, warehouse: Warehouse
) -> None:
    define(warehouse, "v1", 0, metric("click", "Email Link Clicked", 3), batches=2)
    launch(warehouse, "e1", 0, {1: [("a", 100), ("b", 100)], 2: [("a", 20), ("b", 180)]}, planned=True)
    look(warehouse, 202606, 5)
    past = pd.DataFrame(
        [
            {"program": "past", "cycle": 1, "experiment_id": "e1", "creative_id": arm, "segment": "s", "metric": "click",
             "n": 1000, "sum_y": clicks, "is_baseline": arm == "a"}
            for arm, clicks in (("a", 50), ("b", 60))
        ]
    )  # fmt: skip
    past.to_parquet(warehouse.folder / "past.parquet")
    import_file(warehouse, warehouse.folder / "past.parquet", Mapping.of({"kind": "results"}), FixedClock(on(5)))
    build(project, warehouse, "+growth_by_arm", "+int_experiments__allocations", "+int_experiments__reweighted")
    chances = warehouse.rows(
        "select program, batch, creative_id, probability from intermediate.int_experiments__allocations order by all"
    )
    told = [(row["program"], row["batch"], row["creative_id"], row["probability"]) for row in chances]
    assert told == [
        ("news", 1, "a", 0.5), ("news", 1, "b", 0.5), ("news", 2, "a", 0.1), ("news", 2, "b", 0.9),
        ("past", 1, "a", 0.5), ("past", 1, "b", 0.5),
    ]  # fmt: skip
    assert warehouse.rows("select distinct program from intermediate.int_experiments__reweighted") == [
        {"program": "news"}
    ]
    people = warehouse.rows("select people, n from marts.growth_by_arm where program = 'past' and segment = 's'")
    assert people == [{"people": 1000, "n": 1000}] * 2
    (health,) = warehouse.rows(
        "select messages_withheld_reason as why from marts.experiment_health where program = 'past'"
    )
    assert health["why"] == "past experiment: its file does not say what became of its messages"


def test_arms_of_a_send_in_batches_are_told_without_the_days_on_which_they_were_favoured(
    project: DbtProject, warehouse: Warehouse
) -> None:
    """In both batches both arms do alike; the second day is better, and arm b got most of it. Arm c was stopped after the first."""
    batches = {1: [("a", 200), ("b", 200), ("c", 200)], 2: [("a", 120), ("b", 680)]}
    define(warehouse, "v1", 0, metric("click", "Email Link Clicked", 3), batches=2)
    launch(warehouse, "e1", 0, batches, planned=True)
    every = {1: 20, 2: 4}  # one in so many clicks
    happen(warehouse, [
        ("Email Link Clicked", f"e1/{batch}/{arm}{number}", 1.0, None)
        for batch, people in batches.items() for arm, count in people for number in range(0, count, every[batch])
    ])  # fmt: skip
    look(warehouse, 202606, 5)
    build(project, warehouse, "+growth_by_arm", "+experiment_contrasts")
    rows = warehouse.rows("select * from marts.growth_by_arm where segment = 'all'")
    arms = {row["creative_id"]: row for row in rows}
    expected = (600 / 20 + 800 / 4) / 1400
    assert arms["a"]["mean"] == pytest.approx(arms["b"]["mean"], rel=1e-9)
    assert arms["a"]["mean"] == pytest.approx(expected, rel=1e-9)
    assert (arms["b"]["n"], arms["b"]["sum_y"]) == (880, 10 + 170), "people stay people"
    assert arms["a"]["ci_low"] < expected < arms["a"]["ci_high"]
    assert arms["c"]["mean"] is None
    assert arms["c"]["withheld_reason"] == "the arm was not in every batch of the send: its mean is one of other days"
    (contrast,) = warehouse.rows("select mean, baseline_mean from marts.experiment_contrasts where creative_id = 'b'")
    assert (contrast["mean"], contrast["baseline_mean"]) == (
        pytest.approx(arms["b"]["mean"]), pytest.approx(arms["a"]["mean"]),
    )  # fmt: skip


def test_a_ratio_that_nobody_can_tell_has_no_interval_and_no_infinity(
    project: DbtProject, warehouse: Warehouse
) -> None:
    past = pd.DataFrame(
        [
            {"program": "past", "cycle": 1, "experiment_id": "e1", "creative_id": arm, "segment": "s", "metric": "net",
             "n": 1000, "sum_y": total, "sum_y2": 250_000.0, "is_baseline": arm == "a"}
            for arm, total in (("a", 0.001), ("b", 200.0))
        ]
    )  # fmt: skip
    past.to_parquet(warehouse.folder / "past.parquet")
    import_file(warehouse, warehouse.folder / "past.parquet", Mapping.of({"kind": "results"}), FixedClock(on(5)))
    build(project, warehouse, "+experiment_verdicts")
    (row,) = warehouse.rows("select * from marts.experiment_verdicts")
    assert row["lift"] == pytest.approx(200_000 - 1, rel=1e-6)
    assert (row["lift_low"], row["lift_high"]) == (None, None)
    assert row["verdict"] not in {"win", "lose", "flat"}
    assert row["reason"] is not None
