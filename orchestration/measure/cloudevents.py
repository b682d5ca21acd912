"""Messages that are CloudEvents 1.0 in binary mode: attributes are headers, the value is the event in JSON.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa
from confluent_kafka import Message

_ATTRIBUTES = ("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type")
_REGISTRY_PREFIX = 5  # byte 0 and a schema id, which a registry's serialiser puts before the JSON


def read(messages: Sequence[Message]) -> pa.Table:
    """One row per message, in their order.

    Returns:
        Columns ``document``, the event in JSON with what the attributes add, null if there is none, and ``fault``, what is wrong with
        message or value, null if nothing is.
    """
    events = [_event(message) for message in messages]
    columns = {name: [getattr(event, name) for event in events] for name in ("value", "id", "source", "time", "fault")}
    raw = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    # Id and source are what the sender's library vouches for, so they win over the value; the time only fills a gap.
    query = """select
            case when json_valid(value) and json_type(case when json_valid(value) then value end) = 'OBJECT' then
                cast(json_merge_patch(
                    case when "time" is not null then json_object('occurred_at', "time") else '{}' end, value,
                    case when id is not null then json_object('event_id', id) else '{}' end,
                    case when source is not null then json_object('source', source) else '{}' end
                ) as varchar) end as document,
            case when fault is null and not coalesce(json_valid(value), false) then 'the value is not JSON' else fault end as fault
        from raw"""
    with duckdb.connect() as apart:
        apart.register("raw", raw)
        return apart.sql(query).to_arrow_table()


def original(message: Message) -> bytes:
    """A message's value as it came."""
    value = message.value() or b""
    return value if isinstance(value, bytes) else value.encode()


@dataclass(frozen=True, slots=True)
class _Event:
    value: str | None
    id: str | None
    source: str | None
    time: str | None
    fault: str | None


def _event(message: Message) -> _Event:
    """A message's value and attributes; what is wrong with its envelope is said, the rest is the contract's business."""
    headers: dict[str, str] = {}
    for header in message.headers() or []:
        key, raw = header[0], header[1]
        if key.lower() in _ATTRIBUTES and raw is not None:
            headers[key.lower()] = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    version, kind = headers.get("ce_specversion"), headers.get("content-type", "application/json")
    fault = None
    if version is None:
        fault = "the message has no ce_specversion"
    elif version != "1.0":
        fault = "ce_specversion is not 1.0"
    elif missing := next((name for name in ("ce_id", "ce_source", "ce_type") if not headers.get(name)), None):
        fault = f"the message has no {missing}"
    elif "json" not in kind:
        fault = "content-type is not JSON"
    body = original(message)
    text: str | None = None
    try:
        text = (body[_REGISTRY_PREFIX:] if body[:1] == b"\0" else body).decode("utf-8")
    except UnicodeDecodeError:
        fault = fault or "the value is not UTF-8"
    if text is not None and not text.lstrip().startswith("{"):
        fault = fault or "the value is not a JSON object"
    return _Event(text, headers.get("ce_id"), headers.get("ce_source"), headers.get("ce_time"), fault)
