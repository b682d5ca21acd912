"""File intake against DuckDB's bare ``read_json`` into a table, and against dlt on the first lines of the same file.

    python tests/bench/intake_benchmark.py --events 5000000 --sample 100000

Prints one JSON object: seconds and processor seconds of each, the speed as a share of the bare reading, and how often dlt's.
"""

import argparse
import datetime as dt
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

from orchestration.edges.clock import FixedClock
from orchestration.edges.warehouse import Warehouse
from orchestration.measure.imports import import_file
from orchestration.measure.mapping import Mapping

_EVENTS = """copy (
    select 'evt-' || md5((case when i % 50 = 7 then i - 1 else i end)::varchar) as event_id, 'segment/web' as source, 'track' as type,
        ['Product Viewed', 'Order Completed', 'Signed Up', 'Feature Used'][1 + (hash(i) % 4)::int] as event_name,
        'user-' || hash(i // 3) % 400000 as user_id,
        strftime(timestamp '2026-11-01' + to_microseconds(i * 137003), '%Y-%m-%dT%H:%M:%S.%fZ') as occurred_at,
        strftime(timestamp '2026-11-01' + to_microseconds(i * 137003 + 1200000), '%Y-%m-%dT%H:%M:%S.%fZ') as received_at,
        'web' as channel,
        {'product_id': 'p-' || hash(i * 7) % 9999, 'price': (i % 9000) / 100.0,
            'url': 'https://shop.example.test/p/' || i % 9999} as properties,
        {'userAgent': 'Mozilla/5.0 (X11; Linux x86_64)', 'campaign': {'name': 'autumn', 'source': 'newsletter'}} as context
    from range(%EVENTS%) as t(i)) to '%FILE%' (format json)"""
_DLT = """
import json, sys, dlt
def events():
    with open(sys.argv[1], encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)
resource = dlt.resource(events, name="events", primary_key=["source", "event_id"], write_disposition="merge", max_table_nesting=0)
dlt.pipeline("intake", destination=dlt.destinations.duckdb(sys.argv[2]), dataset_name="raw", pipelines_dir=sys.argv[3]).run(resource)
"""


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds; what others wrote is on the disk before."""
    os.sync()
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def main(events: int, sample: int) -> dict[str, float]:
    """Runs the three in one folder, one after the other."""
    with tempfile.TemporaryDirectory() as name:
        folder, file = Path(name), Path(name) / "events.ndjson"
        duckdb.execute(_EVENTS.replace("%EVENTS%", str(events)).replace("%FILE%", str(file)))

        def bare() -> None:
            with duckdb.connect(str(folder / "bare.duckdb")) as connection:
                connection.execute(f"create table events as select * from read_json('{file}')")

        clock = FixedClock(dt.datetime.fromisoformat("2026-11-20"))
        bare_wall, bare_cpu = timed(bare)
        ours_wall, ours_cpu = timed(
            lambda: import_file(Warehouse(folder / "ours"), file, Mapping.named("events"), clock)
        )
        found = {
            "events": events,
            "bare_seconds": bare_wall,
            "intake_seconds": ours_wall,
            "share_of_bare": bare_wall / ours_wall,
            "share_of_bare_processor": bare_cpu / ours_cpu,
        }
        if sample:
            with file.open("rb") as stream:
                (folder / "sample.ndjson").write_bytes(b"".join(itertools.islice(stream, sample)))
            command = [
                sys.executable,
                "-c",
                _DLT,
                str(folder / "sample.ndjson"),
                str(folder / "dlt.duckdb"),
                str(folder / "dlt"),
            ]
            dlt_wall, _ = timed(lambda: subprocess.run(command, check=True, capture_output=True))
            found["dlt_seconds_for_sample"] = dlt_wall
            found["times_dlt"] = (dlt_wall / sample) / (ours_wall / events)
    return {key: round(value, 3) for key, value in found.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--sample", type=int, default=100_000, help="Lines that dlt is given; 0 leaves it out.")
    options = parser.parse_args()
    sys.stdout.write(json.dumps(main(options.events, options.sample)) + "\n")
