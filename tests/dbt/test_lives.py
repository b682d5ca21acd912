"""Sessions, engagement, referral, revenue and attribution against what people really did, after late batches and incremental builds."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import pytest

from orchestration.edges.dbt import DbtProject
from orchestration.edges.warehouse import Warehouse
from tests.dbt.conftest import EVENT_MODELS, PULLED_DAILY, NewWarehouse, receive
from tests.dbt.lives import BATCHES, QUIET, RATES, START, random_lives
from tests.dbt.lives_reference import LivesReference

OWN = (
    "path:models/staging/rates",
    "path:models/staging/channels",
    "path:models/intermediate/revenue",
    *PULLED_DAILY,
    "int_channels__daily",
    "int_channels__days_read",
    "int_channels__landings",
    "int_channels__touches",
    "int_channels__credits",
    "weekly_actives",
    "referral",
    "sessions",
    "engaged_retention",
    "referral_funnel",
    "revenue_retention",
    "attribution",
    "conversion_paths",
)
MODELS = (*EVENT_MODELS, *OWN)


@dataclass(frozen=True)
class Built:
    reference: LivesReference
    warehouse: Warehouse


@pytest.fixture(scope="module")
def built(project: DbtProject, new_warehouse: NewWarehouse, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Lives that arrived in three batches, with a build after each; every data test has passed on the last one."""
    lives = random_lives(5)
    warehouse = new_warehouse(tmp_path_factory.mktemp("lives"))
    project.build(warehouse, select=["touch_sources"], command="seed")
    with warehouse.connect() as connection:
        for currency, since, rate in RATES:
            told = [currency, since, rate]
            connection.execute(
                "insert into raw.exchange_rates values ($1, 'GBP', $2::date, $3 * 9, '2025-01-01')", told
            )
            connection.execute("insert into raw.exchange_rates values ($1, 'gbp', $2::date, $3, '2025-01-02')", told)
    for batch in lives.batches:
        receive(warehouse, batch)
        project.build(warehouse, select=MODELS, command="run")
    project.build(warehouse, select=OWN, exclude=["test_type:unit"], command="test")
    as_of = START + dt.timedelta(days=BATCHES[-1])
    return Built(LivesReference(lives, as_of), warehouse)


def assert_equal(found: pd.DataFrame, expected: pd.DataFrame, key: Sequence[str]) -> None:
    """Equal rows to 1e-9, whatever their order; null equals null."""
    tables = []
    for table in (found, expected):
        plain = table[list(expected.columns)].copy()
        for column in plain.columns:
            if column in {"week", "month", "day"}:
                plain[column] = pd.to_datetime(plain[column]).dt.strftime("%Y-%m-%d")
            elif column not in {"is_mature", "source", "rule", "path"}:
                plain[column] = plain[column].astype("float64")
        tables.append(plain.sort_values(list(key)).reset_index(drop=True))
    pd.testing.assert_frame_equal(tables[0], tables[1], check_dtype=False, rtol=1e-9, atol=1e-9)


def test_sessions(built: Built) -> None:
    expected = built.reference.sessions()
    assert expected.clicked.sum() > 50
    assert_equal(built.warehouse.read("select * from marts.sessions"), expected, ["day"])
    crossing = built.warehouse.rows(
        "select count(*) as sessions from intermediate.int_people__sessions where ended_at::date > started_on"
    )
    assert crossing[0]["sessions"] > 20


def test_incremental_sessions_and_landings_are_those_of_a_full_build(built: Built, project: DbtProject) -> None:
    tables = (
        "int_people__session_parts",
        "int_people__session_days",
        "int_people__engaged_weeks",
        "int_channels__landings",
        "int_revenue__told",
    )
    queries = [
        f"select * exclude (built_through, received_events) from intermediate.{table} order by all" for table in tables
    ]
    before = [built.warehouse.read(query) for query in queries]
    project.build(built.warehouse, select=tables, command="run", full_refresh=True)
    for query, table in zip(queries, before, strict=True):
        pd.testing.assert_frame_equal(built.warehouse.read(query), table)


def test_engaged_retention(built: Built) -> None:
    expected = built.reference.engaged_retention(3)
    assert expected.retained.sum() > 50
    assert_equal(built.warehouse.read("select * from marts.engaged_retention"), expected, ["week"])


def test_referral_funnel(built: Built) -> None:
    expected = built.reference.referral_funnel(14)
    assert expected.cycle_days.notna().any()
    assert expected.passed_on.sum() > 5
    assert QUIET in set(expected[expected.is_mature & expected.k_factor.isna()].week), (
        "nobody invited, and people were active"
    )
    assert_equal(built.warehouse.read("select * from marts.referral_funnel"), expected, ["week"])


def test_revenue_retention(built: Built) -> None:
    expected = built.reference.revenue_retention()
    assert expected.unconverted_entries.sum() > 0
    assert expected.rate.notna().any()
    found = built.warehouse.read("select * from marts.revenue_retention")
    assert_equal(found, expected, ["month"])
    withheld = found[found.unconverted_entries > 0].withheld_reason
    assert withheld.notna().all()


def test_attribution(built: Built) -> None:
    credited = built.reference.credits(30, 7.0, 0.4, 0.4)
    expected = credited.groupby(["week", "rule", "source"], as_index=False).credit.sum()
    corrections = built.warehouse.rows(
        "select event_id from intermediate.int_revenue__entries where not is_refund and value < 0"
    )
    assert len(corrections) > 10, "orders below zero, which are no conversions"
    found = built.warehouse.read("select week, rule, source, sum(credit) as credit from marts.attribution group by all")
    assert set(expected.source) == {"meta", "google_ads", "google", "email", "letter", "unattributed"}
    assert_equal(found, expected, ["week", "rule", "source"])


def test_conversion_paths(built: Built) -> None:
    credited = built.reference.credits(30, 7.0, 0.4, 0.4).drop_duplicates("order")
    expected = credited.groupby(["week", "path"], as_index=False).size().rename(columns={"size": "conversions"})
    found = built.warehouse.read("select week, path, conversions from marts.conversion_paths")
    assert_equal(found, expected, ["week", "path"])
