"""Events read in place: the same events as an import gives, and a file that would need mending is refused."""

import datetime as dt
import os
from pathlib import Path

import duckdb
import pytest

from orchestration.edges.clock import FixedClock
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.measure.imports import import_file
from orchestration.measure.in_place import attach, move, require_unchanged
from orchestration.measure.mapping import Mapping
from orchestration.measure.withdrawals import withdraw

CLOCK = FixedClock(dt.datetime.fromisoformat("2026-03-01"))
MAPPING = Mapping.from_flags({"kind": "events", "pseudonymise": "false", "event_name": "event", "source": "=web"})
GOOD = """
    select 'e' || i as event_id, 'u' || i % 7 as user_id, 'Page Viewed' as event,
        timestamp '2026-02-01' + to_hours(i) as occurred_at, timestamp '2026-02-01' + to_hours(i) as received_at,
        '{"path": "/' || i || '"}' as properties, i / 4.0 as value, 'EUR' as currency
    from range(40) as numbers (i)
"""
COLUMNS = """event_id, source, type, event_name, user_id, occurred_at, received_at, ingested_at, value, currency,
    cast(properties as varchar) as properties, context, schema_version, is_machine"""


def parquet(folder: Path, query: str = GOOD, name: str = "events.parquet") -> Path:
    path = folder / name
    with duckdb.connect() as connection:
        connection.execute(f"copy ({query}) to '{path}' (format parquet)")
    return path


def house(folder: Path, name: str) -> Warehouse:
    return Warehouse(folder / name)


def test_what_is_read_in_place_is_what_an_import_stores(tmp_path: Path) -> None:
    odd = GOOD.replace("'EUR'", "' EUR '").replace("'u' || i % 7", "cast(i % 7 as double)")  # cleaned in both
    odd = odd.replace("i / 4.0", "case when i % 3 = 0 then 'page' end as type, i / 4.0")
    path = parquet(tmp_path, odd.replace("'e' || i", "'e' || i || chr(160)"))
    copied, in_place = house(tmp_path, "copied"), house(tmp_path, "in_place")
    import_file(copied, path, MAPPING, CLOCK)
    assert attach(in_place, path, MAPPING, CLOCK, None).rows_accepted == 40
    told = f"select {COLUMNS} from raw.%s order by event_id"
    assert in_place.rows(told % "events_in_place") == copied.rows(told % "events")
    assert in_place.rows("select count(*) as events from raw.events") == [{"events": 0}]


def test_a_file_is_known_again_and_another_is_added(tmp_path: Path) -> None:
    warehouse = house(tmp_path, "warehouse")
    path = parquet(tmp_path)
    assert not attach(warehouse, path, MAPPING, CLOCK, None).already_imported
    assert attach(warehouse, path, MAPPING, CLOCK, None).already_imported
    later = parquet(tmp_path, GOOD.replace("'e' || i", "'f' || i"), "later.parquet")
    attach(warehouse, later, MAPPING, FixedClock(dt.datetime.fromisoformat("2026-03-02")), None)
    found = warehouse.rows("select ingested_at, count(*) as events from raw.events_in_place group by 1 order by 1")
    assert [row["events"] for row in found] == [40, 40]
    assert require_unchanged(warehouse) == 2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("'u' || i % 7", "case when i = 3 then null else 'u' end"), "1 rows to be set aside .*neither a user"),
        (("timestamp '2026-02-01' + to_hours(i) as received_at", "timestamp '1999-01-01' as received_at"), "before the year"),
        (("'u' || i % 7", "'ana@example.test'"), "40 rows with an address in user_id"),
        (("'e' || i", "'e' || i || '@example.test'"), "40 rows with an address in event_id"),
        (('{"path": "/', '{"email": "'), "40 rows with people in properties"),
        (('{"path": "/', 'no JSON'), "40 rows to be set aside .*properties is not JSON"),
        (("'e' || i", "nullif('e' || i, 'e7')"), "1 rows without an event_id"),
        (("range(40)", "range(0)"), "is empty"),
    ],
)  # fmt: skip
def test_a_file_that_would_need_mending_is_refused_and_nothing_is_kept(
    tmp_path: Path, change: tuple[str, str], reason: str
) -> None:
    warehouse = house(tmp_path, "warehouse")
    with pytest.raises(Refusal, match=reason):
        attach(warehouse, parquet(tmp_path, GOOD.replace(*change)), MAPPING, CLOCK, None)
    assert warehouse.rows("select * from raw.event_files") == []
    assert warehouse.rows("select * from raw.imports") == []


def test_ids_of_people_are_not_shown_unasked_and_other_formats_are_imported(tmp_path: Path) -> None:
    warehouse = house(tmp_path, "warehouse")
    with pytest.raises(Refusal, match="ids of people"):
        attach(warehouse, parquet(tmp_path), Mapping.of({"kind": "events"}), CLOCK, None)
    with pytest.raises(Refusal, match="no Parquet file of events"):
        attach(warehouse, tmp_path / "events.csv", MAPPING, CLOCK, None)


def test_rows_are_numbered_through_all_files(tmp_path: Path) -> None:
    warehouse = house(tmp_path, "warehouse")
    for day, letter in enumerate("efg", start=1):
        path = parquet(tmp_path, GOOD.replace("'e' || i", f"'{letter}' || i"), f"{9 - day}.parquet")
        attach(warehouse, path, MAPPING, FixedClock(dt.datetime.fromisoformat(f"2026-03-0{day}")), None)
    numbered = "select row_key, event_id from raw.events_in_place order by row_key"
    found = warehouse.rows(numbered)
    assert [row["row_key"] for row in found] == list(range(120))
    assert [row["event_id"][0] for row in found] == ["e"] * 40 + ["f"] * 40 + ["g"] * 40
    # A warehouse from before rows had numbers.
    with warehouse.connect() as connection:
        connection.execute("""
            update raw.event_files set query = regexp_replace(query, ', cast[^,]*as row_key', '');
            alter table raw.event_files drop column first_row;
            delete from ledger.migrations where name = '0018_rows_in_place'
        """)
    warehouse.migrate()
    assert warehouse.rows(numbered) == []
    require_unchanged(warehouse)
    assert warehouse.rows(numbered) == found


def test_a_column_named_as_a_rows_number_is_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path, f"select *, 1 as File_Row_Number from ({GOOD})")
    with pytest.raises(Refusal, match=r"has a column file_row_number.*without --in-place"):
        attach(house(tmp_path, "warehouse"), path, MAPPING, CLOCK, None)


def test_a_file_that_changes_or_goes_is_named(tmp_path: Path) -> None:
    warehouse = house(tmp_path, "warehouse")
    path = parquet(tmp_path)
    attach(warehouse, path, MAPPING, CLOCK, None)
    os.utime(path, (1, 1))
    with pytest.raises(Refusal, match="was changed"):
        require_unchanged(warehouse)
    with pytest.raises(Refusal, match="was changed"):
        attach(warehouse, path, MAPPING, CLOCK, None)
    path.unlink()
    with pytest.raises(Refusal, match="cannot be read"):
        require_unchanged(warehouse)


def test_a_file_that_moved_is_read_where_it_is_now(tmp_path: Path) -> None:
    warehouse = house(tmp_path, "warehouse")
    path = parquet(tmp_path)
    import_id = attach(warehouse, path, MAPPING, CLOCK, None).import_id
    read = "select * from raw.events_in_place order by row_key"
    before = warehouse.rows(read)
    (tmp_path / "it's elsewhere").mkdir()
    now = path.rename(tmp_path / "it's elsewhere" / "events.parquet")
    other = parquet(tmp_path, GOOD.replace("range(40)", "range(41)"), "other.parquet")
    with pytest.raises(Refusal, match="is not the file that was taken in"):
        move(warehouse, import_id[:12], other)
    with pytest.raises(Refusal, match="no file that is read in place"):
        move(warehouse, "", now)
    move(warehouse, import_id[:12], now)
    assert require_unchanged(warehouse) == 1
    assert warehouse.rows(read) == before


def test_a_file_that_is_taken_back_is_read_no_more_and_may_come_again(tmp_path: Path) -> None:
    warehouse = house(tmp_path, "warehouse")
    path = parquet(tmp_path)
    other = parquet(tmp_path, GOOD.replace("'e' || i", "'f' || i"), "other.parquet")
    import_id = attach(warehouse, path, MAPPING, CLOCK, None).import_id
    attach(warehouse, other, MAPPING, CLOCK, None)
    path.unlink()
    withdraw(warehouse, import_id, "gone", CLOCK)
    assert require_unchanged(warehouse) == 1
    numbers = "select min(row_key) as least, max(row_key) as greatest, count(*) as events from raw.events_in_place"
    assert warehouse.rows(numbers) == [{"least": 40, "greatest": 79, "events": 40}]
    withdraw(warehouse, attach(warehouse, other, MAPPING, CLOCK, None).import_id, "gone too", CLOCK)
    assert warehouse.rows(numbers) == [{"least": None, "greatest": None, "events": 0}]
    again = attach(warehouse, other, MAPPING, CLOCK, None)
    assert not again.already_imported
    assert warehouse.rows(numbers) == [{"least": 0, "greatest": 39, "events": 40}]
