"""Kills the intake of files and of Kafka at random points while events with duplicates arrive; counts what is lost or double.

    python tests/bench/intake_kills_files.py --kills 200 --events 100000

Prints one JSON object. Exit code 1 where anything was lost or double.
"""

import argparse
import datetime as dt
import json
import multiprocessing
import random
import signal
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

from confluent_kafka import Producer

from orchestration.edges.clock import FixedClock
from orchestration.edges.warehouse import Warehouse
from orchestration.measure.imports import intake_drop
from orchestration.measure.kafka import Stream, consume

_FORKS = multiprocessing.get_context("forkserver")  # imports once; each round is a process of its own all the same
_FORKS.set_forkserver_preload(["orchestration.measure.imports", "orchestration.measure.kafka", "pandas"])


def work(folder: Path, servers: str, topic: str, ready: Connection) -> None:
    """One run of the intake, in a process that may be killed."""
    clock, warehouse = FixedClock(dt.datetime.fromisoformat("2026-11-20")), Warehouse(folder / "warehouse")
    warehouse.migrate()
    ready.send(True)
    intake_drop(warehouse, folder / "drop", clock)
    if servers:
        consume(warehouse, Stream(servers, topic, batch=1000, idle_seconds=1), clock)


def event(number: int) -> dict[str, str]:
    at = (dt.datetime.fromisoformat("2026-11-01") + dt.timedelta(seconds=number)).isoformat() + "Z"
    return {
        "event_id": f"e{number}",
        "source": "kills",
        "event_name": "Signed Up",
        "user_id": f"u{number}",
        "occurred_at": at,
    }


def run(kills: int, events: int, seed: int, *, with_kafka: bool, files: int = 20) -> dict[str, float]:
    """Half the events come in files, half by Kafka, one in ten twice; every arrival is followed by kills, the last run lives."""
    chance = random.Random(seed)
    producer = Producer({"test.mock.num.brokers": 1})
    brokers = producer.list_topics(timeout=20).brokers.values() if with_kafka else ()
    servers = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "drop").mkdir()
        began, longest, killed, cut = time.monotonic(), 1.5, 0, 0
        arrivals = [
            range(start, min(start + -(-events // files), events)) for start in range(0, events, -(-events // files))
        ]
        for batch, numbers in enumerate(arrivals):
            for_kafka = with_kafka and batch % 2 == 1
            again = chance.sample(range(numbers.stop), len(numbers) // 10)
            told = [json.dumps(event(number)).encode() for number in [*numbers, *again]]
            if for_kafka:
                headers = [("ce_specversion", b"1.0"), ("ce_source", b"kills"), ("ce_type", b"signup")]
                for number, value in zip([*numbers, *again], told, strict=True):
                    producer.produce("kills", value, headers=[*headers, ("ce_id", f"e{number}".encode())])
                    producer.poll(0)
                producer.flush(30)
            else:
                (folder / "drop" / f"{batch:04}.ndjson").write_bytes(b"\n".join(told) + b"\n")
            due = kills * (batch + 1) // len(arrivals) - killed
            for _ in range(due):
                cut += _work(folder, servers if batch else "", kill_after=chance.uniform(0, longest)) == -signal.SIGKILL
                killed += 1
        assert _work(folder, servers, kill_after=None) == 0
        found = Warehouse(folder / "warehouse").rows(
            "select count(*) as n, count(distinct event_id) as ids from raw.events"
        )[0]
    return {
        "kills": killed,
        "killed_at_work": cut,
        "events": events,
        "lost": events - found["ids"],
        "double": found["n"] - found["ids"],
        "seconds": round(time.monotonic() - began, 1),
    }


def _work(folder: Path, servers: str, kill_after: float | None) -> int | None:
    heard, ready = _FORKS.Pipe(duplex=False)
    process = _FORKS.Process(target=work, args=(folder, servers, "kills", ready))
    process.start()
    ready.close()
    heard.recv()
    process.join(kill_after)
    if process.is_alive():
        process.kill()
        process.join()
    return process.exitcode


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--without-kafka", action="store_true")
    options = parser.parse_args()
    outcome = run(options.kills, options.events, options.seed, with_kafka=not options.without_kafka)
    sys.stdout.write(json.dumps(outcome) + "\n")
    sys.exit(1 if outcome["lost"] or outcome["double"] else 0)
