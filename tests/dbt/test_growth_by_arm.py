"""Growth metrics as outcomes of an experiment: published figures of two data sets, and a live experiment counted by hand."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from orchestration.edges.clock import FixedClock
from orchestration.edges.dbt import DbtProject
from orchestration.edges.warehouse import Warehouse
from orchestration.measure.imports import import_file
from orchestration.measure.mapping import Mapping
from tests.dbt.conftest import SEEDS

SHARED = Path(__file__).parents[3] / "shared" / "data"
STARTS = dt.datetime.fromisoformat("2026-02-02T09:00:00")
DAY = dt.timedelta(days=1)
GAP = dt.timedelta(minutes=30)
STEPS = ["Signed Up", "Product Viewed", "Order Completed"]
BUILT = ["+growth_by_arm"]
PUBLISHED = {
    "hillstrom_email": {
        ("visit", "Mens E-Mail"): 18.28,
        ("visit", "Womens E-Mail"): 15.14,
        ("visit", "No E-Mail"): 10.62,
        ("conversion", "Mens E-Mail"): 1.25,
        ("conversion", "Womens E-Mail"): 0.88,
        ("conversion", "No E-Mail"): 0.57,
    },
    "cookie_cats": {
        ("retention_7", "gate_30"): 19.02,
        ("retention_7", "gate_40"): 18.20,
        ("retention_1", "gate_30"): 44.82,
        ("retention_1", "gate_40"): 44.23,
    },
}


@pytest.mark.skipif(not SHARED.exists(), reason="the real data sets are not here (../shared/data)")
@pytest.mark.parametrize("name", list(PUBLISHED))
def test_arms_of_a_published_experiment_equal_the_published_figures(
    name: str, project: DbtProject, tmp_path: Path
) -> None:
    warehouse = Warehouse(tmp_path)
    clock = FixedClock(dt.datetime.fromisoformat("2026-01-01"))
    import_file(warehouse, SHARED / f"{name}.parquet", Mapping.named(name), clock)
    _build(project, warehouse)
    rows = warehouse.rows("select * from marts.growth_by_arm where segment = 'all'")
    found = {(row["metric"], row["creative_id"]): round(100 * row["mean"], 2) for row in rows if row["is_share"]}
    assert found == PUBLISHED[name]
    table = pd.read_parquet(SHARED / f"{name}.parquet")
    mapping: Any = Mapping.named(name)
    told = table.groupby(mapping.arm)
    for row in rows:
        people = told.get_group(row["creative_id"])[row["metric"]].astype(float)
        assert row["n"] == len(people)
        assert row["mean"] == pytest.approx(people.mean(), rel=1e-12)
        if not row["is_share"]:
            half = 1.959963984540054 * people.std(ddof=1) / np.sqrt(len(people))
            assert row["ci_high"] - row["mean"] == pytest.approx(half, rel=1e-9)


METRICS = [
    {"name": "back_on_day_7", "event": "Any Activity", "after_days": 7, "within_days": 8, "role": "objective"},
    {"name": "active", "event": "Any Activity", "within_days": 7},
    {"name": "active_days", "event": "Any Activity", "within_days": 7, "value": "days"},
    {"name": "engaged", "event": "Any Activity", "within_days": 7, "value": "days", "at_least": 3},
    {"name": "sessions", "event": "Any Activity", "within_days": 7, "value": "sessions"},
    {"name": "activated", "event": "Activation Step", "within_days": 7, "value": "steps"},
    {"name": "revenue", "event": "Net Revenue", "within_days": 7, "value": "sum"},
    {"name": "friends", "event": "Friend Signed Up", "within_days": 7, "value": "count"},
    {"name": "invites", "event": "Invite Sent", "within_days": 7, "value": "count"},
]


def test_growth_metrics_of_a_live_experiment_are_those_counted_by_hand(project: DbtProject, tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    doings = _doings(rng, people=160)
    warehouse = Warehouse(tmp_path)
    warehouse.migrate()
    _fill(warehouse, doings)
    _build(project, warehouse)
    rows = warehouse.rows("select * from marts.growth_by_arm where segment = 'all'")
    assert len(rows) == 2 * len(METRICS)
    for row in rows:
        arm = {f"u{n}": doings[f"u{n}"] for n in range(160) if n % 2 == (row["creative_id"] == "asks")}
        outcomes = [_outcome(row["metric"], user, doings) for user in arm]
        assert row["n"] == 80
        assert row["sum_y"] == pytest.approx(sum(outcomes), abs=1e-6), row["metric"]
        assert sum(outcomes) > 0, row["metric"]
        everyone = {_outcome(row["metric"], user, doings) for user in doings}
        assert row["is_share"] == (everyone <= {0.0, 1.0})
    late = warehouse.rows("select distinct metric from marts.growth_by_arm where not is_mature")
    assert late == []


def _build(project: DbtProject, warehouse: Warehouse) -> None:
    project.build(warehouse, select=list(SEEDS), command="seed")
    project.build(warehouse, select=BUILT, exclude=["resource_type:seed"], command="run")
    tested = ["growth_by_arm", "int_experiments__outcome_events"]
    project.build(warehouse, select=tested, exclude=["test_type:unit"], command="test")


Doings = dict[str, list[tuple[dt.datetime, str, float | None]]]


def _doings(rng: np.random.Generator, people: int) -> Doings:
    """What each person did around the assignment, in order."""
    names = ["Product Viewed", "Signed In", "Order Completed", "Order Refunded", "Invite Sent"]
    found: Doings = {}
    for number in range(people):
        mine = [(STARTS + float(rng.uniform(0, 3)) * DAY, "Signed Up", None)] if rng.random() < 0.7 else []
        for _ in range(rng.poisson(6)):
            name = str(rng.choice(names, p=[0.4, 0.2, 0.2, 0.1, 0.1]))
            at = STARTS + float(rng.uniform(-2, 10)) * DAY
            money = round(float(rng.gamma(2, 10)), 2) if name.startswith("Order") else None
            later = at + dt.timedelta(minutes=float(rng.uniform(1, 60)))
            mine += [(at, name, money), (later, "Signed In", None)]
        found[f"u{number}"] = sorted(mine, key=lambda doing: doing[0])
    return found


def _inviter(user: str) -> str:
    return f"u{(int(user[1:]) * 7 + 1) % 160}"


def _outcome(metric: str, user: str, doings: Doings) -> float:
    after = 7 if metric == "back_on_day_7" else 0
    inside = [d for d in doings[user] if STARTS + after * DAY <= d[0] < STARTS + max(7, after + 1) * DAY]
    active = [at for at, name, _ in inside if name != "Order Refunded"]
    days = len({at.date() for at in active})
    signs = {"Order Completed": 1, "Order Refunded": -1}
    outcomes = {
        "back_on_day_7": bool(active),
        "active": bool(active),
        "active_days": days,
        "engaged": days >= 3,
        "sessions": sum(not place or at - active[place - 1] > GAP for place, at in enumerate(active)),
        "activated": _takes_every_step(inside),
        "revenue": sum(signs[name] * money for _, name, money in inside if money is not None),
        "friends": _friends(user, doings),
        "invites": sum(name == "Invite Sent" for _, name, _ in inside),
    }
    return float(outcomes[metric])


def _takes_every_step(inside: list[tuple[dt.datetime, str, float | None]]) -> bool:
    left = list(STEPS)
    for _, name, _ in inside:
        left = left[1:] if left and left[0] == name else left
    return not left


def _friends(user: str, doings: Doings) -> int:
    invites = [at for at, name, _ in doings[user] if name == "Invite Sent"]
    joined = [
        at
        for friend, mine in doings.items()
        for at, name, _ in mine
        if name == "Signed Up" and _inviter(friend) == user and STARTS <= at < STARTS + 7 * DAY
    ]
    return sum(any(sent <= at < sent + 14 * DAY for sent in invites) for at in joined)


def _fill(warehouse: Warehouse, doings: Doings) -> None:
    metrics = [{"value": "any", "cap": None, "at_least": None, "harm": None, "margin": None, **one} for one in METRICS]
    spec = {"metrics": metrics, "tags": [], "activation": {"steps": STEPS, "within_days": 7}}
    arms = ["plain", "asks"]
    fixed = {"program": "news", "recorded_at": STARTS}
    send = {"experiment_id": "e1", "segment": "everyone"}
    events = [(user, *doing) for user, mine in doings.items() for doing in mine]
    experiment = {"experiment_id": "e1", "cycle": 202606, "send_number": 1, "starts_at": STARTS, "salt": ""}
    tables: dict[str, list[dict[str, Any]]] = {
        "ledger.programs": [{**fixed, "version": "v1", "spec": json.dumps(spec)}],
        "ledger.cycles": [{**fixed, "cycle": 202608, "as_of": STARTS + 14 * DAY, "program_version": "v1"}],
        "ledger.experiments": [{**fixed, **experiment, "tags_by_design": True}],
        "ledger.arms": [
            {**send, "creative_id": arm, "arm_number": n, "role": role, "planned_share": 0.5, "recorded_at": STARTS}
            for n, (arm, role) in enumerate(zip(arms, ["baseline", "explore"], strict=True))
        ],
        "ledger.assignments": [
            {**send, "user_id": user, "creative_id": arms[int(user[1:]) % 2], "probability": 0.5, "assigned_at": STARTS}
            for user in doings
        ],
        "raw.events": [_event(number, *event) for number, event in enumerate(events)],
    }
    known = {number for number in range(len(events)) if number % 50}
    for user in doings:
        doings[user] = [d for n, (who, *d) in enumerate(events) if who == user and n in known]  # type: ignore[misc]
    with warehouse.connect() as connection:
        for table, rows in tables.items():
            names = [column[0] for column in connection.execute(f"select * from {table} limit 0").description]
            frame = pd.DataFrame(rows)
            connection.register("told", frame[[name for name in names if name in frame.columns]])
            connection.execute(f"insert into {table} by name select * from told")
            connection.unregister("told")


def _event(number: int, user: str, at: dt.datetime, name: str, money: float | None) -> dict[str, Any]:
    """Every fiftieth is taken in after the experiment was counted, so it does not count."""
    return {
        "event_id": str(number),
        "source": "shop",
        "type": "track",
        "event_name": name,
        "user_id": user,
        "occurred_at": at,
        "received_at": at,
        "ingested_at": STARTS + (13 if number % 50 else 15) * DAY,
        "channel": "web",
        "value": money,
        "currency": None if money is None else "GBP",
        "properties": json.dumps({"invited_by": _inviter(user)}) if name == "Signed Up" else None,
        "import_id": "i",
        "schema_version": 1,
    }
