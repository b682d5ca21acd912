"""Events from Kafka into ``raw.events``, exactly once: rows and positions are stored in one transaction.

CloudEvents 1.0 in binary mode: attributes are headers, the value is the event in JSON. The warehouse, not the broker, knows what
was taken: a partition is read from the position beside the rows, so a kill, a rebalance or a second consumer repeats nothing. A
message that cannot be taken goes to quarantine with its position and holds nobody up.
"""

import datetime as dt
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import duckdb
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from orchestration.edges.clock import Clock
from orchestration.edges.warehouse import Warehouse, transaction
from orchestration.errors import Refusal
from orchestration.measure import cloudevents, documents
from orchestration.measure.contracts import read_contract
from orchestration.measure.filedrop import quarantine
from orchestration.measure.privacy import Seal
from orchestration.measure.pseudonyms import hold_key, pseudonym_key
from orchestration.measure.report import Progress

_POSITION_LOST = {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}


@dataclass(frozen=True, slots=True)
class Stream:
    """What is read, and how much at once.

    Attributes:
        servers: ``host:port`` of brokers, with commas.
        group: Consumers of one group share the partitions; without it this one reads them all.
        batch: Messages stored in one transaction, at most.
        idle_seconds: Ends when nothing came for so long; a wait for the group to deal its partitions does not count.
        join_seconds: How long a group may take to deal them; as long as Kafka's ``max.poll.interval.ms`` where nobody sets it.
        options: Further settings of librdkafka, such as security ones.
    """

    servers: str
    topic: str
    group: str | None = None
    batch: int = 20_000
    idle_seconds: float = 5.0
    join_seconds: float = 300.0
    options: dict[str, str] = field(default_factory=dict)


def configured_stream() -> Stream | None:
    """The stream of ``LOOP_KAFKA_TOPIC`` at ``LOOP_KAFKA_SERVERS``, which every cycle reads; None where none is named."""
    topic = os.environ.get("LOOP_KAFKA_TOPIC")
    return Stream(os.environ.get("LOOP_KAFKA_SERVERS", "localhost:9092"), topic) if topic else None


@dataclass(frozen=True, slots=True)
class Consumed:
    """What a run of the consumer stored; messages = accepted + quarantined + duplicates + repeated."""

    messages: int = 0
    accepted: int = 0
    quarantined: int = 0
    duplicates: int = 0
    repeated: int = 0  # below the position: somebody else stored them

    def __add__(self, other: "Consumed") -> "Consumed":
        return Consumed(
            self.messages + other.messages,
            self.accepted + other.accepted,
            self.quarantined + other.quarantined,
            self.duplicates + other.duplicates,
            self.repeated + other.repeated,
        )


def consume(
    warehouse: Warehouse,
    stream: Stream,
    clock: Clock,
    tell: Progress | None = None,
    stop: Callable[[], bool] | None = None,
    *,
    is_opaque: bool = False,
) -> Consumed:
    """Takes what is in the topic into ``raw.events`` until nothing comes.

    Args:
        tell: Told after every batch.
        stop: Asked between batches.
        is_opaque: The ids of people are pseudonyms already.

    Raises:
        Refusal: if the brokers or the topic cannot be reached, the group deals no partitions, or the messages after the stored
            position are gone.
        WarehouseLocked: if another process writes to the warehouse.
    """
    warehouse.migrate()
    consumer = Consumer(
        {
            **stream.options,
            "bootstrap.servers": stream.servers,
            "group.id": stream.group or "loop",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",  # a lost position is told, never skipped
        }
    )
    total = Consumed()
    try:
        share = _attach(consumer, warehouse, stream)
        while not (stop and stop()):
            since = share.since
            if messages := _batch(consumer, stream):
                total += store(warehouse, messages, clock, is_opaque=is_opaque)
                if tell:
                    tell(f"{stream.topic}: {total.messages:,} messages, {total.accepted:,} new events")
            elif share.is_dealt and share.since == since:
                break
            elif not share.is_dealt:
                if time.monotonic() - share.since > stream.join_seconds:
                    raise _undealt(stream)
                if tell:
                    tell(f"{stream.topic}: waiting for group {stream.group} to deal its partitions")
    except KafkaException as error:
        raise _refusal(stream, error.args[0]) from error
    finally:
        consumer.close()
    return total


def store(warehouse: Warehouse, messages: Sequence[Message], clock: Clock, *, is_opaque: bool = False) -> Consumed:
    """Stores messages and the positions after them, all or nothing.

    What lies below a stored position is left out, since somebody stored it.
    """
    total = Consumed()
    by_partition: dict[tuple[str, int], list[Message]] = {}
    for message in messages:
        by_partition.setdefault((str(message.topic()), int(message.partition() or 0)), []).append(message)
    with warehouse.connect() as connection:
        hold_key(connection, pseudonym_key(warehouse.folder))
        seal = Seal(pseudonym_key(warehouse.folder))
        with transaction(connection):
            for (topic, partition), found in by_partition.items():
                position = positions(connection, topic).get(partition)
                fresh = [message for message in found if position is None or _offset(message) >= position]
                repeated = Consumed(len(found) - len(fresh), repeated=len(found) - len(fresh))
                total += repeated
                if fresh:
                    total += _store_partition(connection, topic, partition, fresh, clock.now(), seal, is_opaque)
    return total


def positions(connection: duckdb.DuckDBPyConnection, topic: str) -> dict[int, int]:
    """Partition -> the first offset that is not stored yet."""
    query = "select stream_partition, max(next_offset) from raw.stream_positions where topic = ? group by 1"
    return dict(connection.execute(query, [topic]).fetchall())


def _store_partition(
    connection: duckdb.DuckDBPyConnection,
    topic: str,
    partition: int,
    messages: list[Message],
    now: dt.datetime,
    seal: Seal,
    is_opaque: bool,
) -> Consumed:
    first, last = _offset(messages[0]), _offset(messages[-1])
    import_id = f"kafka:{topic}:{partition}:{first}"  # the primary key of raw.imports is a second guard
    contract = read_contract("event")
    table = cloudevents.read(messages)
    connection.register("messages", table)
    source = "select case when fault is null then cast(document as json) end as json from messages"
    documents.stage(connection, source, contract, now, is_opaque=is_opaque)
    connection.unregister("messages")
    judged = documents.append(connection, contract, import_id, now, is_opaque=is_opaque)
    faults, texts = table["fault"], table["document"]
    refused = [
        (
            _offset(messages[place]),
            faults[place].as_py() or reason,
            seal.payload((texts[place].as_py() or "").encode() or cloudevents.original(messages[place])),
        )
        for place, reason in judged.refused
    ]
    quarantine(connection, refused, import_id, now)
    connection.execute(
        "insert into raw.imports values (?, 'events', ?, ?, ?, ?, ?)",
        [import_id, f"kafka {topic}/{partition}", judged.read, judged.accepted, len(refused), now],
    )
    connection.execute(
        "insert into raw.stream_positions values (?, ?, ?, ?, ?)", [topic, partition, last + 1, import_id, now]
    )
    return Consumed(judged.read, judged.accepted, len(refused), judged.duplicates)


@dataclass(slots=True)
class _Share:
    """Whether a consumer holds its share of the partitions, and since when (monotonic seconds)."""

    is_dealt: bool = False
    since: float = field(default_factory=time.monotonic)

    def turn(self, is_dealt: bool) -> None:
        self.is_dealt, self.since = is_dealt, time.monotonic()


def _attach(consumer: Consumer, warehouse: Warehouse, stream: Stream) -> _Share:
    def assign(reader: Consumer, partitions: Sequence[int]) -> None:
        with warehouse.connect() as connection:
            known = positions(connection, stream.topic)
        reader.assign(
            [TopicPartition(stream.topic, number, known.get(number, OFFSET_BEGINNING)) for number in partitions]
        )
        share.turn(True)

    share = _Share()
    metadata = consumer.list_topics(stream.topic, timeout=max(stream.idle_seconds, 2.0)).topics[stream.topic]
    if metadata.error is not None or not metadata.partitions:
        raise _refusal(stream, metadata.error)
    if stream.group:
        consumer.subscribe(
            [stream.topic],
            on_assign=lambda reader, given: assign(reader, [part.partition for part in given]),
            on_revoke=lambda _reader, _taken: share.turn(False),
        )
    else:
        assign(consumer, sorted(metadata.partitions))
    return share


def _batch(consumer: Consumer, stream: Stream) -> list[Message]:
    found = []
    for message in consumer.consume(stream.batch, timeout=stream.idle_seconds):
        error = message.error()
        if error is None:
            found.append(message)
        elif error.code() != KafkaError._PARTITION_EOF:
            if not found:
                raise _refusal(stream, error)
            break
    return found


def _refusal(stream: Stream, error: KafkaError | None) -> Refusal:
    if error is not None and error.code() in _POSITION_LOST:
        return Refusal(
            f"topic {stream.topic}",
            "no longer holds the messages after the stored position",
            "Find out what was lost, then append the position to go on from to raw.stream_positions.",
        )
    reason = error.str() if error is not None else "has no partitions"
    return Refusal(f"topic {stream.topic}", f"cannot be read ({reason})", "Check the brokers, the name and the rights.")


def _undealt(stream: Stream) -> Refusal:
    return Refusal(
        f"group {stream.group}",
        f"has dealt no partitions of topic {stream.topic} for {stream.join_seconds:g} seconds",
        "Look for a member that hangs; the brokers drop it when its session ends.",
    )


def _offset(message: Message) -> int:
    offset = message.offset()
    assert offset is not None
    return offset
