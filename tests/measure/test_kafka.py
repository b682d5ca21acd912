"""Kafka on librdkafka's own mock cluster: exactly once, whatever is killed, repeated, shared or broken."""

import datetime as dt
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from confluent_kafka import Producer

from orchestration.edges.clock import FixedClock
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.measure.kafka import Consumed, Stream, consume
from orchestration.measure.quarantine import show

CLOCK = FixedClock(dt.datetime.fromisoformat("2026-11-20T12:00"))
Headers = dict[str, str | bytes]
NAMES = count()


class Cluster:
    """A mock cluster that lives as long as its producer."""

    def __init__(self) -> None:
        self.producer = Producer({"test.mock.num.brokers": 1, "linger.ms": 5})
        brokers = self.producer.list_topics(timeout=20).brokers.values()
        self.servers = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)

    def send(self, topic: str, *numbers: int, value: bytes | None = None, **changes: str | None) -> None:
        for number in numbers:
            headers: dict[str, str | None] = {"ce_specversion": "1.0", "ce_id": f"e{number}", "ce_source": "shop"}
            headers |= {"ce_type": "signup", "ce_time": "2026-11-01T10:00:00Z", "content-type": "application/json"}
            told = [(key, text) for key, text in (headers | changes).items() if text is not None]
            body = json.dumps({"event_name": "Signed Up", "user_id": f"u{number}"}).encode() if value is None else value
            self.producer.produce(topic, body, key=f"u{number}", headers=told)
        assert self.producer.flush(20) == 0


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def stream(cluster: Cluster) -> Stream:
    return Stream(cluster.servers, f"events{next(NAMES)}", batch=7, idle_seconds=1.5)


def test_what_is_sent_is_stored_once_over_many_runs(cluster: Cluster, stream: Stream, warehouse: Warehouse) -> None:
    runs: list[Consumed] = []
    for numbers in (range(40), range(30, 50), ()):
        cluster.send(stream.topic, *numbers)
        runs.append(consume(warehouse, stream, CLOCK))
    assert [(run.messages, run.accepted, run.duplicates) for run in runs] == [(40, 40, 0), (20, 10, 10), (0, 0, 0)]
    assert warehouse.rows("select count(*) as n, count(distinct event_id) as ids from raw.events") == [
        {"n": 50, "ids": 50}
    ]
    event = warehouse.rows("select * from raw.events where event_id = 'e1'")[0]
    assert (event["source"], event["occurred_at"], len(event["user_id"])) == (
        "shop",
        dt.datetime.fromisoformat("2026-11-01T10:00"),
        64,
    )


def test_rows_and_position_fall_together(
    cluster: Cluster, stream: Stream, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.send(stream.topic, *range(20))
    warehouse.migrate()
    with warehouse.connect() as connection:
        connection.execute("alter table raw.stream_positions add column surprise varchar")
    with pytest.raises(Exception, match=r"surprise|columns"):
        consume(warehouse, stream, CLOCK)
    assert warehouse.rows("select count(*) as n from raw.events") == [{"n": 0}]
    with warehouse.connect() as connection:
        connection.execute("alter table raw.stream_positions drop column surprise")
    assert consume(warehouse, stream, CLOCK).accepted == 20


def test_poison_goes_to_quarantine_with_its_position(cluster: Cluster, stream: Stream, warehouse: Warehouse) -> None:
    cluster.send(stream.topic, 1)
    for value in (b"\xff\xfe", b"", b"{broken", b"[1]", b'{"event_name": 5, "user_id": "u"}'):
        cluster.send(stream.topic, 2, value=value)
    cluster.send(stream.topic, 3, ce_id=None)
    cluster.send(stream.topic, 4, ce_specversion="0.3")
    cluster.send(stream.topic, 5, value=b"\0\0\0\0\x01" + b'{"event_name": "Signed Up", "user_id": "registry"}')
    cluster.send(stream.topic, 6, **{"content-type": "text/csv"})
    done = consume(warehouse, stream, CLOCK)
    assert (done.messages, done.accepted, done.quarantined) == (10, 2, 8)
    reasons = sorted(row["reason"] for row in warehouse.rows("select reason from raw.quarantine"))
    assert reasons == sorted([
        "the value is not UTF-8", "the value is not a JSON object", "the value is not JSON", "the value is not a JSON object",
        "event_name is a number, not string", "the message has no ce_id", "ce_specversion is not 1.0", "content-type is not JSON",
    ])  # fmt: skip
    row = warehouse.rows("select import_id, row_number from raw.quarantine where reason = 'the value is not JSON'")[0]
    assert row["import_id"].startswith(f"kafka:{stream.topic}:")
    assert show(warehouse, row["import_id"], row["row_number"])["original"] == "{broken"


# A member that leaves while the group is dealt anew is missed only when its session ends; that must not take long.
BRIEF = {"session.timeout.ms": "6000", "heartbeat.interval.ms": "500"}


@pytest.mark.slow
def test_a_group_that_deals_slowly_is_waited_for(cluster: Cluster, stream: Stream, warehouse: Warehouse) -> None:
    cluster.send(stream.topic, *range(20))
    # The cluster waits 3 seconds for further members before it deals, six times as long as this one waits for messages.
    alone = replace(stream, group=f"group-{stream.topic}", idle_seconds=0.5, options=BRIEF)
    told: list[str] = []
    assert consume(warehouse, alone, CLOCK, told.append).accepted == 20
    assert told[0] == f"{stream.topic}: waiting for group {alone.group} to deal its partitions"


def test_a_group_that_never_deals_is_refused(cluster: Cluster, stream: Stream, warehouse: Warehouse) -> None:
    cluster.send(stream.topic, 1)
    hasty = replace(stream, group=f"group-{stream.topic}", idle_seconds=0.2, join_seconds=0.3, options=BRIEF)
    with pytest.raises(Refusal, match=rf"group {hasty.group} -> has dealt no partitions .* for 0.3 seconds"):
        consume(warehouse, hasty, CLOCK)


@pytest.mark.slow
def test_two_consumers_of_a_group_share_without_a_double(
    cluster: Cluster, stream: Stream, warehouse: Warehouse
) -> None:
    cluster.send(stream.topic, *range(60))
    shared = replace(stream, group=f"group-{stream.topic}", batch=5, options=BRIEF)
    warehouse.migrate()
    with ThreadPoolExecutor() as pool:
        runs = list(pool.map(lambda _: consume(warehouse, shared, CLOCK), range(2)))
    assert sum(run.accepted for run in runs) == 60
    stored = "select count(*) as n, count(distinct event_id) as ids from raw.events"
    assert warehouse.rows(stored) == [{"n": 60, "ids": 60}]


def test_a_lost_position_is_refused_and_not_skipped(cluster: Cluster, stream: Stream, warehouse: Warehouse) -> None:
    cluster.send(stream.topic, 1, 2, 3)
    consume(warehouse, stream, CLOCK)
    now = CLOCK.now()
    ahead = {"topic": stream.topic, "next_offset": 10_000, "import_id": "", "recorded_at": now}
    warehouse.append({"raw.stream_positions": [ahead | {"stream_partition": number} for number in range(4)]})
    with pytest.raises(Refusal, match="no longer holds the messages after the stored position"):
        consume(warehouse, stream, CLOCK)


@pytest.mark.parametrize("group", [None, "marketing"])
def test_brokers_that_are_not_there_are_refused(warehouse: Warehouse, group: str | None) -> None:
    with pytest.raises(Refusal, match=r"topic events -> cannot be read \(.*\)\. Check the brokers"):
        consume(warehouse, Stream("127.0.0.1:1", "events", group, idle_seconds=0.5), CLOCK)


@pytest.mark.slow
def test_kills_of_files_and_kafka_lose_and_double_nothing() -> None:
    bench = Path(__file__).parents[1] / "bench" / "intake_kills_files.py"
    command = [sys.executable, str(bench), "--kills", "6", "--events", "2000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout) | {"seconds": 0}
    assert found.pop("killed_at_work") <= 6
    assert found == {
        "kills": 6,
        "events": 2000,
        "lost": 0,
        "double": 0,
        "seconds": 0,
    }
