"""What platforms report by day: newer readings replace whole days, past readings stay known, every level adds up to the account."""

import csv
import datetime as dt
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from orchestration.edges.dbt import DbtProject
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.measure.aggregates import DailyRow, Window, replace_windows
from orchestration.measure.pulls.definition import read_sources
from orchestration.policy.thresholds import POLICY
from tests.dbt.conftest import EVENT_MODELS, PULLED_DAILY, NewWarehouse

FIRST = dt.date.fromisoformat("2026-01-01")
DAY = dt.timedelta(days=1)
LEVELS = ("account", "campaign", "ad_set", "ad")
MODELS = [*EVENT_MODELS, *PULLED_DAILY, "stg_channels__daily", "int_channels__daily", "channel_performance"]
Readings = list[tuple[dict[str, Any], list[dict[str, Any]]]]


def random_readings(seed: int, count: int = 40) -> Readings:
    """Readings of two accounts; each restates its days, withdraws some rows, and the account holds more than its parts."""
    rng = np.random.default_rng(seed)
    found: Readings = []
    for number in range(count):
        account = str(rng.choice(["a", "b"]))
        level = str(rng.choice(LEVELS if account == "a" else LEVELS[1:]))  # b reports no totals of the account
        first = FIRST + int(rng.integers(0, 12)) * DAY
        last = first + int(rng.integers(0, 6)) * DAY
        at = dt.datetime.combine(FIRST + (13 + number) * DAY, dt.time())
        reading = {"provider": "meta", "account_id": account, "level": level}
        reading |= {"first_day": first, "last_day": last, "extracted_at": at}
        rows = [_row(rng, reading, day, *entity) for day in _days(first, last) for entity in _entities(rng, level)]
        found.append((reading, rows))
    return found


def _days(first: dt.date, last: dt.date) -> list[dt.date]:
    return [first + number * DAY for number in range((last - first).days + 1)]


def _entities(rng: np.random.Generator, level: str) -> list[tuple[str | None, str | None, str | None]]:
    if level == "account":
        return [(None, None, None)]
    depth = LEVELS.index(level)
    entities: set[tuple[str | None, str | None, str | None]] = set()
    for _ in range(rng.integers(0, 6)):
        campaign = f"c{rng.integers(3)}"
        ad_set = f"{campaign}s{rng.integers(2)}" if depth > 1 else None
        entities.add((campaign, ad_set, f"{ad_set}d{rng.integers(2)}" if depth > 2 else None))
    return sorted(entities, key=str)


def _row(
    rng: np.random.Generator,
    reading: dict[str, Any],
    day: dt.date,
    campaign: str | None,
    ad_set: str | None,
    ad: str | None,
) -> dict[str, Any]:
    scale = 4 ** (3 - LEVELS.index(reading["level"]))
    shown = int(rng.integers(1, 900)) * scale
    return {
        "day": day,
        "campaign_id": campaign,
        "campaign_name": campaign,
        "ad_set_id": ad_set,
        "ad_id": ad,
        "currency": "EUR",
        "spend": round(float(rng.gamma(2, 5)) * scale, 2),
        "impressions": shown,
        "clicks": int(rng.integers(0, shown // 2 + 1)),
        "conversions": float(rng.integers(0, 9)) if rng.random() < 0.8 else None,
    }


def _truth(readings: Readings, at: dt.datetime) -> dict[tuple[str, str, dt.date], list[dict[str, Any]]]:
    """(account, level, day) -> rows of its newest reading up to an instant; a day without rows was withdrawn."""
    found: dict[tuple[str, str, dt.date], list[dict[str, Any]]] = {}
    for reading, rows in readings:
        if reading["extracted_at"] <= at:
            for day in _days(reading["first_day"], reading["last_day"]):
                key = reading["account_id"], reading["level"], day
                found[key] = [row for row in rows if row["day"] == day]
    return {key: rows for key, rows in found.items() if rows}


@pytest.fixture(scope="module")
def told(
    project: DbtProject, new_warehouse: NewWarehouse, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Readings, Warehouse]:
    readings = random_readings(3)
    warehouse = new_warehouse(tmp_path_factory.mktemp("channels"))
    _fill(warehouse, readings)
    project.build(warehouse, select=MODELS, command="run")
    project.build(warehouse, select=MODELS[-3:], exclude=["test_type:unit"], command="test")
    return readings, warehouse


def _fill(warehouse: Warehouse, readings: Readings) -> None:
    for reading, rows in readings:
        windows = [
            Window(
                "meta", reading["account_id"], reading["level"], day, [_told(row) for row in rows if row["day"] == day]
            )
            for day in _days(reading["first_day"], reading["last_day"])
        ]
        assert replace_windows(warehouse, windows, reading["extracted_at"]) == len(windows)


def _told(row: dict[str, Any]) -> DailyRow:
    return DailyRow(
        campaign_id=row["campaign_id"],
        campaign_name=row["campaign_name"],
        ad_set_id=row["ad_set_id"],
        ad_id=row["ad_id"],
        impressions=row["impressions"],
        clicks=row["clicks"],
        cost=Decimal(str(row["spend"])),
        currency="EUR",
        conversions_claimed=row["conversions"],
    )


def test_a_newer_reading_replaces_whole_days_and_the_past_stays_known(told: tuple[Readings, Warehouse]) -> None:
    readings, warehouse = told
    for instant in (readings[len(readings) // 2][0]["extracted_at"], readings[-1][0]["extracted_at"]):
        found = warehouse.rows(
            """select account_id, level, day, sum(spend) as spend, count(*) as n from staging.stg_channels__daily
            where extracted_at <= $1 and (superseded_at is null or superseded_at > $1) group by all""",
            [instant],
        )
        expected = _truth(readings, instant)
        assert {(row["account_id"], row["level"], row["day"]) for row in found} == set(expected)
        for row in found:
            rows = expected[row["account_id"], row["level"], row["day"]]
            assert (row["n"], row["spend"]) == (len(rows), pytest.approx(sum(one["spend"] for one in rows)))
    today = warehouse.rows("select sum(spend) as spend from intermediate.int_channels__daily")
    assert today[0]["spend"] == pytest.approx(sum(one["spend"] for rows in expected.values() for one in rows))


def test_every_level_adds_up_to_the_account_and_keeps_what_was_reported(told: tuple[Readings, Warehouse]) -> None:
    readings, warehouse = told
    found = warehouse.read("select * from marts.channel_performance")
    truth = _truth(readings, readings[-1][0]["extracted_at"])
    for (account, level, day), rows in truth.items():
        cell = found[(found.account_id == account) & (found.level == level) & (found.day == pd.Timestamp(day))]
        reported = cell[cell.is_reported]
        assert len(reported) == len(rows)
        assert reported.spend.sum() == pytest.approx(sum(row["spend"] for row in rows))
        assert reported.claimed_conversions.sum() == pytest.approx(sum(row["conversions"] or 0 for row in rows))
    totals = found.groupby(["account_id", "day", "level"]).spend.sum().unstack()
    for level in LEVELS[1:]:
        known = totals[level].notna()
        assert known.any()
        assert totals[level][known].to_numpy() == pytest.approx(totals.account[known].to_numpy())
    on_its_own = found[(found.account_id == "a") & (found.level == "account") & ~found.is_reported & (found.spend > 0)]
    assert len(on_its_own), "days of an account that are told by a finer level alone"
    whole = {key: rows for key, rows in truth.items() if key[:2] == ("a", "account")}
    for (account, _, day), rows in whole.items():
        cell = found[(found.account_id == account) & (found.level == "account") & (found.day == pd.Timestamp(day))]
        assert cell.spend.to_list() == pytest.approx([rows[0]["spend"]])


def test_a_level_that_loses_its_parts_is_seen(
    told: tuple[Readings, Warehouse], project: DbtProject, tmp_path: Path
) -> None:
    shutil.copytree(told[1].folder, tmp_path / "warehouse")
    warehouse = Warehouse(tmp_path / "warehouse")
    with warehouse.connect() as connection:
        # What a level that counts as reported for good would make of a day that is told by campaign alone.
        connection.execute("""
            update marts.channel_performance set spend = spend - total from (
                select account_id as id, day as told_on, spend as total from marts.channel_performance
                where level = 'account' and not is_reported
            ) where account_id = id and day = told_on and (level = 'account' or (entity_id = 'unattributed' and parent_id = id))
        """)
    with pytest.raises(Refusal, match="unreported_levels_sum_their_parts"):
        project.build(warehouse, select=["channel_performance"], exclude=["test_type:unit"], command="test")


def test_a_platform_is_asked_for_a_day_for_as_long_as_it_may_restate_it() -> None:
    with POLICY.open(encoding="utf-8", newline="") as file:
        settle = {row["name"]: float(row["value"]) for row in csv.DictReader(file)}
    ads = [
        source for source in read_sources().values() if source.provider in {"meta", "google_ads", "tiktok", "linkedin"}
    ]
    assert len(ads) == 4
    for source in ads:
        days = settle.get(f"channel_settle_days_{source.provider}", settle["channel_settle_days"])
        assert days <= source.reread_days, f"no day of {source.name} would ever be read for the last time"


def test_a_day_that_may_still_be_restated_is_withheld(told: tuple[Readings, Warehouse]) -> None:
    readings, warehouse = told
    found = warehouse.read("select * from marts.channel_performance")
    read = {
        (reading["account_id"], reading["level"], day): reading["extracted_at"].date()
        for reading, _ in readings
        for day in _days(reading["first_day"], reading["last_day"])
    }
    reported = found[found.is_reported]
    assert reported.is_mature.to_list() == [
        read[row.account_id, row.level, row.day.date()] >= row.day.date() + 27 * DAY for row in reported.itertuples()
    ]
    assert set(reported.is_mature) == {True, False}
    assert (found[~found.is_mature].rate.isna()).all()
    shown = found[found.withheld_reason.isna()]
    assert len(shown)
    assert (shown.impressions >= 1000).all()
    assert (shown.spend >= -1e-6).all()
    over = found[found.spend < -1e-6]
    assert (over.withheld_reason == "the parts exceed the whole").all()


def test_a_reading_that_finds_nothing_withdraws(
    project: DbtProject, new_warehouse: NewWarehouse, tmp_path: Path
) -> None:
    warehouse = new_warehouse(tmp_path)
    first, second = (dt.datetime.fromisoformat(f"2026-02-0{day}") for day in (1, 2))
    row = DailyRow(cost=Decimal(5), impressions=10, clicks=1)
    replace_windows(warehouse, [Window("meta", "a", "account", FIRST, [row])], first)
    replace_windows(warehouse, [Window("meta", "a", "account", FIRST, [])], second)
    project.build(warehouse, select=[*PULLED_DAILY, "stg_channels__daily", "int_channels__daily"], command="run")
    assert warehouse.rows("select * from intermediate.int_channels__daily") == []
    [row] = warehouse.rows("select superseded_at from staging.stg_channels__daily")
    assert row["superseded_at"] == second
