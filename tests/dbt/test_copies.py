"""Events that come more than once, in files that stay where they lie and in tables, against a count in Python."""

import datetime as dt
import random
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.edges.clock import FixedClock
from orchestration.edges.dbt import DbtProject
from orchestration.edges.warehouse import Warehouse
from orchestration.measure.in_place import attach
from orchestration.measure.mapping import Mapping
from tests.dbt.conftest import NewWarehouse, receive

EVENTS = ("+stg_events__timed",)
TESTS = ("shared_digests_are_suspected", "stg_events__suspects", "stg_events__repeats")
MAPPING = Mapping.from_flags({"kind": "events", "pseudonymise": "false"})
STATES = {
    "keys": "select event_key, ingested_at, row_in_place from staging.stg_events__keys order by all",
    "suspects": "select event_key, ingested_at, row_in_place from staging.stg_events__suspects order by all",
    "repeats": "select columns(lambda c: c not in ('built_through', 'received_events')) from staging.stg_events__repeats order by all",
    "timed": "select * from staging.stg_events__timed order by all",
}


def test_the_first_copy_counts_wherever_copies_lie(
    project: DbtProject, new_warehouse: NewWarehouse, tmp_path: Path
) -> None:
    """Loads of both kinds, each with copies within it and of those before; what is built step by step equals a build from nothing."""
    draw, warehouse = random.Random(7), new_warehouse(tmp_path)
    first: dict[tuple[str, str], str] = {}
    came: Counter[tuple[str, str]] = Counter()
    for day, is_in_place in enumerate((True, False, True, False), start=1):
        moment = dt.datetime.fromisoformat(f"2026-01-0{day}")
        rows = [
            {
                "source": draw.choice(["s", "t"]),
                "event_id": f"e{draw.randrange(60)}",
                "type": "page",
                "user_id": f"load {day}",
                "received_at": moment,
            }
            for _ in range(50)
        ]
        for row in rows:
            key = (str(row["source"]), str(row["event_id"]))
            first.setdefault(key, f"load {day}")
            came[key] += 1
        take(warehouse, rows, moment, tmp_path / f"{day}.parquet" if is_in_place else None)
        project.build(warehouse, select=EVENTS, command="run")
        found = warehouse.rows("select source, event_id, user_id, duplicates from staging.stg_events__timed")
        assert {(row["source"], row["event_id"]): row["user_id"] for row in found} == first
        assert {(row["source"], row["event_id"]): row["duplicates"] + 1 for row in found} == came
        assert len(found) == len(came)
    step_by_step = {name: warehouse.rows(query) for name, query in STATES.items()}
    project.build(warehouse, select=EVENTS, command="run", full_refresh=True)
    assert {name: warehouse.rows(query) for name, query in STATES.items()} == step_by_step
    project.build(warehouse, select=TESTS, command="test")


def take(warehouse: Warehouse, rows: list[dict[str, object]], moment: dt.datetime, path: Path | None) -> None:
    if path:
        pq.write_table(pa.Table.from_pylist(rows), path)
        attach(warehouse, path, MAPPING, FixedClock(moment.replace(tzinfo=dt.UTC)), None)
    else:
        stored = [{**row, "ingested_at": moment, "schema_version": 1, "import_id": "i"} for row in rows]
        receive(warehouse, pa.Table.from_pylist(stored))
