"""Restated aggregates and counters: whatever is re-read in whatever order, today's and any past truth are the platform's."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.measure.aggregates import DailyRow, Window, replace_windows
from orchestration.measure.counters import Look, append_looks

MODELS = Path(__file__).parents[2] / "dbt_project" / "models"
START = dt.datetime.fromisoformat("2026-11-01T06:00")
DAYS = [dt.date(2026, 10, day) for day in (1, 2, 3)]
ROWS = st.dictionaries(
    st.tuples(st.sampled_from(["ad1", "ad2", None]), st.sampled_from(["", '{"country": "DE"}', '{"country": "FR"}'])),
    st.tuples(st.integers(0, 1000), st.one_of(st.none(), st.decimals(0, 1000, places=2))),
    max_size=4,
)
READS = st.lists(
    st.dictionaries(st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(DAYS)), ROWS, max_size=4), max_size=5
)


def model(name: str) -> str:
    """A model's SQL without dbt; of the networks that are pulled it knows nothing."""
    (path,) = MODELS.rglob(f"{name}.sql")

    def ref(other: str) -> str:
        if other.startswith("stg_channels__"):
            return f"({model(other)})"
        return f"(select * from ({model('stg_channels__counters')}) where false)"

    return jinja2.Template(path.read_text(encoding="utf-8")).render(
        ref=ref, source=lambda schema, table: f"{schema}.{table}", config=lambda **_: ""
    )


def window(account: str, day: dt.date, rows: dict[tuple[Any, str], tuple[int, Decimal | None]]) -> Window:
    told = [
        DailyRow("c", "Campaign", "s", ad, cut, "7d_click", shown, None, cost, "EUR")
        for (ad, cut), (shown, cost) in rows.items()
    ]
    return Window("meta", account, "ad", day, told)


@settings(max_examples=8)
@given(READS)
def test_any_sequence_of_reads_leaves_what_the_platform_said(reads: list[dict[Any, Any]]) -> None:
    truth: dict[Any, Any] = {}
    known: list[dict[Any, Any]] = []
    with TemporaryDirectory() as folder:
        warehouse = Warehouse(Path(folder))
        warehouse.migrate()
        for number, read in enumerate(reads):
            windows = [window(account, day, rows) for (account, day), rows in read.items()]
            at = START + dt.timedelta(hours=number)
            assert replace_windows(warehouse, windows, at) == len(windows)
            assert replace_windows(warehouse, windows, at) == 0
            truth = truth | read
            known.append(dict(truth))
        for number, then in enumerate(known):
            at = START + dt.timedelta(hours=number, minutes=5)
            sql = f"""select account_id, day, ad_id, breakdown, impressions, spend from ({model("stg_channels__daily")})
                where extracted_at <= $at and (superseded_at is null or superseded_at > $at)"""
            found = {
                (row["account_id"], row["day"].date() if hasattr(row["day"], "date") else row["day"], row["ad_id"], row["breakdown"]):
                (row["impressions"], row["spend"]) for row in warehouse.rows(sql, {"at": at})
            }  # fmt: skip
            assert found == {
                (*key, *grain): (shown, float(cost or 0))
                for key, rows in then.items()
                for grain, (shown, cost) in rows.items()
            }
        now = warehouse.rows(
            f"select sum(impressions) as n from ({model('stg_channels__daily')}) where superseded_at is null"
        )
        assert (now[0]["n"] or 0) == sum(shown for rows in truth.values() for shown, _ in rows.values())


def test_three_countries_stay_three_rows(tmp_path: Path) -> None:
    rows = {(None, f'{{"country": "{name}"}}'): (1, Decimal(cost)) for name, cost in (("DE", 10), ("FR", 5), ("IT", 2))}
    warehouse = Warehouse(tmp_path)
    replace_windows(warehouse, [window("a", DAYS[0], rows)], START)
    assert warehouse.rows("select sum(cost) as cost from raw.channel_daily") == [{"cost": 17}]


def test_rows_that_would_hide_each_other_are_refused_whole(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path)
    warehouse.migrate()
    good, row = window("a", DAYS[0], {("ad1", ""): (1, None)}), DailyRow("c", "Campaign", "s", "ad1")
    with pytest.raises(Refusal, match=r"has two rows of the grain .*Put every breakdown"):
        replace_windows(warehouse, [good, Window("meta", "a", "ad", DAYS[1], [row, row])], START)
    with pytest.raises(Refusal, match="one account's day twice"):
        replace_windows(warehouse, [good, good], START)
    assert warehouse.rows("select count(*) as n from raw.channel_daily") == [{"n": 0}]


@settings(max_examples=8)
@given(st.lists(st.tuples(st.sampled_from(["likes", "reposts"]), st.integers(0, 5), st.integers(0, 50)), max_size=15))
def test_gains_less_losses_are_the_total(looks: list[tuple[str, int, int]]) -> None:
    truth: dict[str, dict[int, int]] = {}
    with TemporaryDirectory() as folder:
        warehouse = Warehouse(Path(folder))
        warehouse.migrate()
        for number, (counter, hour, total) in enumerate(looks):
            look = Look("bluesky", "a", "at://post", counter, total, START + dt.timedelta(hours=hour))
            at = START + dt.timedelta(days=1, minutes=number)
            is_news = truth.get(counter, {}).get(hour) != total
            assert append_looks(warehouse, [look], at) == int(is_news)
            assert append_looks(warehouse, [look], at + dt.timedelta(seconds=1)) == 0
            truth.setdefault(counter, {})[hour] = total
        found = warehouse.rows(f"select * from ({model('int_channels__counters')}) order by counter, look_number")
        assert [(row["counter"], row["total"]) for row in found] == [
            (counter, told[hour]) for counter, told in sorted(truth.items()) for hour in sorted(told)
        ]
        for counter, told in truth.items():
            mine = [row for row in found if row["counter"] == counter]
            assert sum(row["gain"] - row["loss"] for row in mine) == told[max(told)]
            assert all(row["gain"] >= 0 and row["loss"] >= 0 for row in mine)


def test_the_models_are_plain_sql() -> None:
    for name in ("stg_channels__daily", "int_channels__counters"):
        assert "{{" not in model(name)
        assert duckdb.extract_statements(model(name))
