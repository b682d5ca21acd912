"""One measured step of the growth benchmark in a process of its own, so that start-up and peak memory are the step's.

python -m tests.bench.growth_build STEP FOLDER [EVENTS.parquet AT]

STEP full takes the events in and builds the four marts that the script by hand has, then all growth marts; add takes
further events in and builds all; idle builds with nothing new; anew builds all from nothing and compares; by_hand and
in_pandas make the marts without the project.
"""

import datetime as dt
import json
import resource
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from orchestration.edges.clock import FixedClock
from orchestration.edges.dbt import DbtProject
from orchestration.edges.warehouse import Warehouse
from orchestration.measure.in_place import attach
from orchestration.measure.mapping import EventsMapping
from tests.bench.growth_events import by_hand, in_pandas
from tests.bench.same_tables import compared

FOUR = ("+activation", "+retention_weekly", "+weekly_actives", "+referral")
ALL = ("+path:models/marts/growth",)
WITHOUT = ("resource_type:test", "resource_type:unit_test", "resource_type:seed")
MAPPING = EventsMapping.model_validate({"kind": "events", "pseudonymise": False, "event_name": "event"})
STEPS = {"steps": ["Signed Up", "Feature Used"], "within_days": 7}
Figures = dict[str, object]
Seconds = dict[str, float]


def take_in(warehouse: Warehouse, path: Path, at: str) -> float:
    """Lets the models read a file in place, its rows checked; returns seconds."""
    begin = time.perf_counter()
    attach(warehouse, path, MAPPING, FixedClock(dt.datetime.fromisoformat(at)), None)
    return time.perf_counter() - begin


def build(warehouse: Warehouse, select: tuple[str, ...], exclude: tuple[str, ...] = ()) -> tuple[Seconds, float]:
    """Seconds in the engine per model (of all its statements), and what the models took beside it in dbt: Jinja, its own records."""
    engine: Seconds = {}

    def add(event: Any) -> None:
        if event.info.name == "SQLQueryStatus":
            name = event.data.node_info.unique_id.split(".")[-1]
            engine[name] = engine.get(name, 0.0) + event.data.elapsed

    nodes = DBT.build(warehouse, select=select, exclude=(*WITHOUT, *exclude), keep_views=True, watch=add)
    models = {name: engine.get(name, 0.0) for node in nodes for name in [node.unique_id.split(".")[-1]]}
    return models, sum(node.seconds for node in nodes) - sum(models.values())


def full(folder: Path, path: Path, at: str) -> Figures:
    warehouse = Warehouse(folder)
    warehouse.migrate()
    DBT.build(warehouse, command="seed")
    with warehouse.connect() as connection:
        spec = json.dumps({"activation": STEPS})
        connection.execute("insert into ledger.programs values ('bench', 'v1', ?, timestamp '2026-01-01')", [spec])
    load = take_in(warehouse, path, at)
    models, dbt = build(warehouse, FOUR)
    rest, more_dbt = build(warehouse, ALL, FOUR)
    [counts] = warehouse.rows("""select (select received_events from staging.stg_events__learned) as received,
        (select sum(events)::bigint from intermediate.int_people__user_days) as kept,
        (select coalesce(sum(duplicates), 0)::bigint from staging.stg_events__repeats where arrival = 1) as duplicates""")
    beside = {"dbt": dbt, "rest_dbt": more_dbt}
    return {"load": load, "models": models, "rest": rest, **beside, **counts, "peak_gb": peak()}


def add(folder: Path, path: Path, at: str) -> Figures:
    warehouse = Warehouse(folder)
    load = take_in(warehouse, path, at)
    models, dbt = build(warehouse, ALL)
    return {"load": load, "models": models, "dbt": dbt, "peak_gb": peak()}


def idle(folder: Path) -> Figures:
    models, dbt = build(Warehouse(folder), ALL)
    return {"models": models, "dbt": dbt}


def anew(folder: Path) -> Figures:
    """Builds a copy of the warehouse from nothing; names the tables whose rows are not those that were built step by step."""
    copy = folder.with_name(f"{folder.name}_anew")
    shutil.copytree(folder, copy)
    DBT.build(Warehouse(copy), select=ALL, exclude=WITHOUT, full_refresh=True)
    tables, different = compared(folder, copy)
    shutil.rmtree(copy)
    return {"tables": tables, "different": different}


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


DBT = DbtProject()


def main(step: str, folder: str, path: str = "", at: str = "") -> None:
    match step:
        case "full":
            figures = full(Path(folder), Path(path), at)
        case "add":
            figures = add(Path(folder), Path(path), at)
        case "idle":
            figures = idle(Path(folder))
        case "anew":
            figures = anew(Path(folder))
        case "by_hand":
            figures = {"steps": by_hand(Path(path)), "peak_gb": peak()}
        case "in_pandas":
            figures = {"steps": in_pandas(Path(path)), "peak_gb": peak()}
        case _:
            raise ValueError(step)
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
