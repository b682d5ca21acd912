"""The growth marts against what people really did, after late, doubled, skewed and machine-made events."""

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from scipy.stats import binomtest

from orchestration.edges.dbt import DbtProject
from orchestration.edges.warehouse import Warehouse
from tests.dbt.conftest import EVENT_MODELS, GROWTH_MODELS, NewWarehouse, receive
from tests.dbt.growth_reference import Reference
from tests.dbt.histories import History, random_history

STEPS, WITHIN_DAYS = ["Signed Up", "Product Viewed", "Order Completed"], 10
MOBILE_GAME = Path(__file__).parents[3] / "shared" / "data" / "mobile_game_launch_events.parquet"
USER_DAYS = "select * exclude (built_through) from intermediate.int_people__user_days order by user_id, activity_on"


@dataclass(frozen=True)
class Built:
    history: History
    reference: Reference
    warehouse: Warehouse


@pytest.fixture(
    scope="module",
    params=[(1, False), (2, False), (2, True)],
    ids=["old days change", "events are only added", "instants come in halves and out of order"],
)
def built(
    request: pytest.FixtureRequest,
    project: DbtProject,
    new_warehouse: NewWarehouse,
    tmp_path_factory: pytest.TempPathFactory,
) -> Built:
    """A history that arrived in three batches, with a build after each, or in halves of them out of order."""
    seed, is_shuffled = request.param
    history = random_history(seed, late_deliveries=0.5 if seed == 1 else 0.0)
    batches = history.batches
    if is_shuffled:
        halves = [(batch.slice(0, len(batch) // 2), batch.slice(len(batch) // 2)) for batch in batches]
        batches = [halves[batch][half] for batch, half in ((2, 0), (0, 0), (2, 1), (1, 1), (0, 1), (1, 0))]
    warehouse = new_warehouse(tmp_path_factory.mktemp("warehouse"))
    spec = json.dumps({"activation": {"steps": STEPS, "within_days": WITHIN_DAYS}})
    with warehouse.connect() as connection:
        programs = [["p", spec], ["without", '{"activation": null}']]
        connection.executemany("insert into ledger.programs values (?, 'v', ?, '2026-01-01')", programs)
    for batch in batches[:-1]:
        receive(warehouse, batch)
        project.build(warehouse, select=GROWTH_MODELS, command="run")
    receive(warehouse, batches[-1])
    command = "build" if seed == 1 else "run"  # once is enough for the data tests, which take the longest
    project.build(warehouse, select=GROWTH_MODELS, exclude=["test_type:unit"], command=command)
    return Built(history, Reference(history), warehouse)


def assert_same(found: pd.DataFrame, expected: pd.DataFrame, key: Sequence[str]) -> None:
    """Equal rows, whatever their order; null equals null."""
    columns = list(expected.columns)
    tables = []
    for table in (found, expected):
        plain = table[columns].copy()
        for column in columns:
            if column in {"week", "cohort_week", "day"}:
                plain[column] = pd.to_datetime(plain[column]).dt.strftime("%Y-%m-%d")
            elif column not in {"segment", "cohort", "is_mature", "definition", "clock"}:
                plain[column] = plain[column].astype("float64")
        tables.append(plain.sort_values(list(key)).reset_index(drop=True))
    pd.testing.assert_frame_equal(tables[0], tables[1], check_dtype=False)


def test_every_activity_is_on_its_day_and_nothing_else(built: Built) -> None:
    found = built.warehouse.rows("select user_id, activity_on, events from intermediate.int_people__user_days")
    assert {(row["user_id"], row["activity_on"]) for row in found} == built.reference.user_days()
    assert sum(row["events"] for row in found) == len(built.history.doings)


def test_copies_are_counted_and_never_used(built: Built) -> None:
    [counts] = built.warehouse.rows(
        "select sum(duplicates)::bigint as copies, count_if(value = 999)::bigint as used"
        " from staging.stg_events__events"
    )
    assert counts == {"copies": built.history.duplicates, "used": 0}
    assert built.history.duplicates > 50


def test_weekly_retention(built: Built) -> None:
    found = built.warehouse.read("select * from marts.retention_weekly")
    assert_same(found, built.reference.retention_weekly(), ["cohort_week", "segment", "age_weeks"])


def test_daily_retention(built: Built) -> None:
    found = built.warehouse.read("select * from marts.retention_daily")
    assert_same(found, built.reference.retention_daily(30), ["cohort", "day_number"])


def test_weekly_actives(built: Built) -> None:
    found = built.warehouse.read("select * from marts.weekly_actives")
    assert_same(found, built.reference.weekly_actives(), ["week", "segment"])


def test_activation(built: Built) -> None:
    found = built.warehouse.read("select * from marts.activation")
    assert set(found.program) == {"p"}
    assert_same(found, built.reference.activation(STEPS, WITHIN_DAYS), ["cohort_week", "segment"])


def test_retention_in_every_definition_and_on_both_clocks(built: Built) -> None:
    found = built.warehouse.read("select * from marts.retention")
    expected = built.reference.retention(30, 7)
    assert_same(found, expected, ["cohort", "segment", "definition", "clock", "from_day"])


def test_actives_and_lifecycle_of_every_day(built: Built) -> None:
    found = built.warehouse.read("""
        select lifecycle.*, wau, mau from marts.lifecycle inner join marts.daily_actives using (day, segment)
        where lifecycle.is_mature and not is_missing""")
    expected = built.reference.daily(28)
    assert expected.resurrected.sum() > 10
    assert_same(found, expected, ["day", "segment"])


def test_referral(built: Built) -> None:
    found = built.warehouse.read("select * from marts.referral")
    expected = built.reference.referral(14)
    assert expected.converted.sum() > 10
    assert_same(found, expected, ["week"])


@pytest.mark.parametrize(
    ("mart", "successes", "people"),
    [
        ("activation", "activated", "n"),
        ("retention_weekly", "retained", "n"),
        ("retention_daily", "retained", "n"),
        ("weekly_actives", "retained", "n"),
        ("referral", "converted", "inviters"),
    ],
)
def test_a_rate_is_shown_with_its_interval_or_withheld_with_a_reason(
    built: Built, mart: str, successes: str, people: str
) -> None:
    for row in built.warehouse.rows(f"select *, {successes} as successes, {people} as people from marts.{mart}"):
        if row["is_mature"] and row["people"] >= 5:
            share = binomtest(int(row["successes"]), int(row["n"])).proportion_ci(0.95, "wilson")
            assert (row["rate"], row["ci_low"], row["ci_high"]) == pytest.approx(
                (row["successes"] / row["n"], share.low, share.high), abs=1e-9
            )
            assert row["withheld_reason"] is None
        else:
            assert (row["rate"], row["ci_low"], row["ci_high"]) == (None, None, None)
            assert row["withheld_reason"].startswith(("too few", "nobody") if row["is_mature"] else "not mature")


STATES = {
    "staging.stg_events__keys": "event_key, ingested_at",
    "staging.stg_events__suspects": "event_key, ingested_at",
    "staging.stg_events__repeats": "source, event_id, arrival",
    "staging.stg_events__identities": "source, event_id",
    "intermediate.int_people__known_days": "user_id, activity_on",
    "intermediate.int_people__moments": "moment_key",
    "intermediate.int_people": "user_id",
    "intermediate.int_people__returns": "activity_on, signed_up_on, segment, days_since_last",
    "intermediate.int_people__activations": "program, user_id",
    "intermediate.int_people__session_parts": "user_id, started_at",
    "intermediate.int_people__session_days": "started_on",
    "intermediate.int_people__invite_weeks": "week",
}


def test_building_batch_by_batch_equals_building_anew(built: Built, project: DbtProject) -> None:
    """Every incremental state, whatever came late, twice or out of order."""

    def states() -> dict[str, pd.DataFrame]:
        stamps = "columns(c -> c not in ('built_through', 'received_events'))".replace("c ->", "lambda c:")
        return {
            name: built.warehouse.read(f"select {stamps} from {name} order by {key}") for name, key in STATES.items()
        }

    step_by_step = states()
    project.build(built.warehouse, select=GROWTH_MODELS, command="run", full_refresh=True)
    for name, anew in states().items():
        pd.testing.assert_frame_equal(anew, step_by_step[name], obj=name)


def test_a_late_delivery_takes_a_scanners_click_back(
    project: DbtProject, new_warehouse: NewWarehouse, tmp_path: Path
) -> None:
    """Clicked two seconds after midnight; that it was delivered four seconds earlier is told days later."""
    warehouse = new_warehouse(tmp_path)
    spec = json.dumps({"activation": {"steps": ["Signed Up", "Email Link Clicked"], "within_days": 3}})
    warehouse.append({"ledger.programs": [{"program": "p", "version": "v", "spec": spec, "recorded_at": "2026-01-01"}]})
    told = [
        ("u", "Signed Up", "2026-01-04T10:00:00", "2026-01-07"),
        ("u", "Email Link Clicked", "2026-01-06T00:00:02", "2026-01-08"),
        ("v", "Product Viewed", "2026-01-02T10:00:00", "2026-01-09"),
        ("u", "Email Delivered", "2026-01-05T23:59:58", "2026-01-10"),
    ]
    days, activated = [], []
    for user, name, occurred, ingested in told:
        row: dict[str, Any] = {
            "source": "s",
            "event_id": name,
            "type": "track",
            "event_name": name,
            "user_id": user,
            "send_id": "m",
        }
        learned = dt.datetime.fromisoformat(ingested)
        row |= {"occurred_at": dt.datetime.fromisoformat(occurred), "received_at": learned, "ingested_at": learned}
        receive(warehouse, pa.Table.from_pylist([{**row, "import_id": "i"}]))
        project.build(warehouse, select=EVENT_MODELS, command="run")
        found = warehouse.rows("select user_id, activity_on from intermediate.int_people__user_days")
        days.append({(day["user_id"], day["activity_on"].day) for day in found})
        [person] = warehouse.rows("select is_activated from intermediate.int_people__activations")
        activated.append(person["is_activated"])
    assert days == [{("u", 4)}, {("u", 4), ("u", 6)}, {("u", 4), ("u", 6), ("v", 2)}, {("u", 4), ("v", 2)}]
    assert activated == [False, True, True, False]


def test_new_events_are_added_and_what_is_there_is_left(
    project: DbtProject, new_warehouse: NewWarehouse, tmp_path: Path
) -> None:
    """Three arrivals of one day, the last two at the same instant: rows that nothing is added to are not written again."""
    warehouse = new_warehouse(tmp_path)
    views = [
        [("u", "a", "08:00"), ("v", "b", "09:00")],
        [("u", "c", "07:00")],
        [("u", "d", "10:00")],
    ]
    seen = []
    for arrival, learned in zip(views, ("2026-01-07", "2026-01-08", "2026-01-08"), strict=True):
        instant = dt.datetime.fromisoformat(learned)
        rows = [
            {
                "source": "s",
                "event_id": name,
                "type": "track",
                "event_name": "Product Viewed",
                "user_id": user,
                "occurred_at": dt.datetime.fromisoformat(f"2026-01-06T{hour}"),
                "received_at": instant,
                "ingested_at": instant,
                "import_id": "i",
            }
            for user, name, hour in arrival
        ]
        receive(warehouse, pa.Table.from_pylist(rows))
        project.build(warehouse, select=EVENT_MODELS, command="run")
        days = warehouse.rows("""select user_id, events, extract(hour from first_event_at) as first,
            extract(hour from last_event_at) as last, received_events as known from intermediate.int_people__known_days order by 1""")
        seen.append([tuple(day.values()) for day in days])
    assert seen == [
        [("u", 1, 8, 8, 2), ("v", 1, 9, 9, 2)],
        [("u", 2, 7, 8, 3), ("v", 1, 9, 9, 2)],  # v's row is the one that the first build wrote
        [("u", 3, 7, 10, 4), ("v", 1, 9, 9, 4)],  # an instant taken in again: its day is made anew
    ]


@pytest.mark.skipif(not MOBILE_GAME.exists(), reason="the real data set is not here (../shared/data)")
def test_a_game_launch_retains_as_published(project: DbtProject, new_warehouse: NewWarehouse, tmp_path: Path) -> None:
    warehouse = new_warehouse(tmp_path)
    log = pq.read_table(MOBILE_GAME)
    learned = dt.datetime.fromisoformat(
        "2016-09-01"
    )  # long after the log ends: what it does not hold is unknown, not zero
    same = {
        "source": "game",
        "type": "track",
        "schema_version": 1,
        "import_id": "i",
        "ingested_at": learned,
        "received_at": learned,
    }
    names = pc.if_else(pc.equal(log["event"], "newPlayer"), "Signed Up", "Feature Used")
    columns = {name: pa.repeat(pa.scalar(value), len(log)) for name, value in same.items()}
    columns |= {"event_id": pa.array([str(number) for number in range(len(log))]), "event_name": names}
    columns |= {"user_id": log["user"].cast(pa.string()), "occurred_at": log["event_date"]}
    receive(warehouse, pa.table(columns))
    project.build(warehouse, select=GROWTH_MODELS, command="run")
    found = warehouse.rows(
        "select day_number, rate from marts.retention_daily where cohort = 'all' and day_number in (1, 7, 14)"
    )
    assert {row["day_number"]: round(100 * row["rate"], 1) for row in found} == {1: 56.8, 7: 29.2, 14: 20.7}
