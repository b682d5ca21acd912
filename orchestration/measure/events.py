"""Event tables: judges each event and appends it to ``raw.events``."""

import datetime as dt
from collections.abc import Collection

import duckdb

from orchestration.measure.contracts import read_contract
from orchestration.measure.duplicates import mark_duplicates
from orchestration.measure.mapping import Constant, EventsMapping
from orchestration.measure.privacy import hidden, opaque_id, without_addresses
from orchestration.measure.reading import identifier, literal
from orchestration.measure.targets import Targets

_TYPES = ("track", "identify", "page", "screen", "group", "alias")
_CLOCKS = ("occurred_at", "received_at", "sent_at", "original_at")
_TEXTS = ("user_id", "anonymous_id", "experiment_id", "creative_id", "send_id", "channel", "currency")
_DOCUMENTS = ("properties", "context")
_FIRST = dt.datetime.fromisoformat("2000-01-01")
# What tells one event from another where the source gives no id; people are pseudonyms here already.
_TUPLE = """source, type, event_name, user_id, anonymous_id, occurred_at::varchar, original_at::varchar,
    sent_at::varchar, received_read::varchar, experiment_id, creative_id, send_id, channel, value::varchar,
    currency, properties"""


def stage(connection: duckdb.DuckDBPyConnection, mapping: EventsMapping, targets: Targets, now: dt.datetime) -> None:
    """Fills the temporary table ``checked``: the columns of ``raw.events`` and ``reason``, null where accepted.

    The server's clocks must be plausible; a device's may be wrong by years, which staging labels.

    Raises:
        Refusal: if the mapping leaves a needed target open.
    """
    query = judged(mapping, targets, "select * from source_rows")
    connection.execute(f"create or replace temp table checked as {query}", bounds(now))


def bounds(now: dt.datetime) -> dict[str, dt.datetime]:
    """Parameters of :func:`judged`: between which instants a server's clock is believed."""
    return {"first": _FIRST, "last": now + dt.timedelta(days=1)}


def cleaned(mapping: EventsMapping, targets: Targets, plain: Collection[str] = ()) -> dict[str, str]:
    """Column of ``raw.events`` -> SQL that reads it from the file's columns; null where it is absent or not of its kind.

    Args:
        plain: Columns of text that are known to need no cleaning.
    """
    name = targets.text("event_name")
    aliases = " ".join(f"when {literal(raw)} then {literal(known)}" for raw, known in mapping.aliases.items())
    columns = {
        "event_id": targets.text("event_id"),
        "source": targets.text("source"),
        "type": f"coalesce({targets.text('type')}, 'track')",
        "event_name": f"case {name} {aliases} else {name} end" if aliases else name,
        **{text: targets.key(text) for text in _TEXTS},
        **{clock: targets.moment(clock) for clock in _CLOCKS},
        "is_machine": targets.flag("is_machine"),
        "value": f"try_cast({targets.text('value')} as decimal(18, 4))",
        **{document: _json(mapping, targets, document) for document in _DOCUMENTS},
        "schema_version": f"try_cast({targets.text('schema_version')} as integer)",
    }
    return columns | {target: targets.raw(target) for target in plain}


def judged(mapping: EventsMapping, targets: Targets, rows: str, plain: Collection[str] = ()) -> str:
    """Query of what :func:`stage` stores.

    Args:
        rows: Query of the file's rows, numbered in ``__row``.
        plain: As for :func:`cleaned`.

    Raises:
        Refusal: if the mapping leaves a needed target open.
    """
    targets.require("source")
    if not targets.has("user_id"):
        targets.require("anonymous_id")
    if not any(targets.has(clock) for clock in _CLOCKS):
        targets.require("occurred_at")
    named = {"event_id": "id_given", "schema_version": "version_read", "received_at": "received_read"}
    read = ", ".join(f"{sql} as {named.get(name, name)}" for name, sql in cleaned(mapping, targets, plain).items())
    told = (*_CLOCKS, "is_machine", "value", "schema_version")
    texts = ", ".join(f"{targets.given(name)} as {name}_given" for name in told)
    return f"""with mapped as (select __row, {read}, {texts} from ({rows})),
        timed as (select *, coalesce(received_read, occurred_at, sent_at, original_at) as received_at from mapped)
        select *, coalesce(id_given, sha256(cast(to_json([{_TUPLE}]) as varchar))) as event_id, {_reason()} as reason
        from timed"""


def append(connection: duckdb.DuckDBPyConnection, mapping: EventsMapping, import_id: str, now: dt.datetime) -> int:
    """Appends what ``checked`` accepts and the warehouse has not, known to it from ``now``; returns how many there are."""
    mark_duplicates(connection, "checked")
    contract = read_contract("event")
    people = ", ".join(f"{opaque_id(name, is_opaque=True)} as {name}" for name in ("user_id", "anonymous_id"))
    free = ", ".join(f"{without_addresses(name)} as {name}" for name in ("source", "event_name", "send_id"))
    is_opaque = not mapping.pseudonymise
    documents = ", ".join(f"{hidden(name, name, contract, is_opaque=is_opaque)} as {name}" for name in _DOCUMENTS)
    return int(
        connection.execute(
            f"""insert into raw.events by name
            select
                {opaque_id("event_id", is_opaque=True)} as event_id, type, {people}, {free}, {documents},
                occurred_at, original_at, sent_at, received_at, $now as ingested_at, experiment_id, creative_id, channel,
                is_machine, value, currency, coalesce(version_read, 1) as schema_version, $import_id as import_id
            from checked
            where reason is null and rowid not in (select duplicate from duplicates)
            order by __row""",
            {"import_id": import_id, "now": now},
        ).fetchall()[0][0]
    )


def _json(mapping: EventsMapping, targets: Targets, target: str) -> str:
    """JSON text of one column that is JSON, or an object of several columns."""
    source = mapping.sources().get(target)
    if source is None or isinstance(source, str | Constant):
        if targets.has(target) and targets.is_nested(target):
            return f"cast(to_json({targets.raw(target)}) as varchar)"
        return targets.text(target)
    fields = ", ".join(f"{literal(name)}, {identifier(name)}" for name in source)
    return f"cast(json_object({fields}) as varchar)"


def _reason() -> str:
    rules = [
        "when source is null then 'source is missing'",
        f"when type not in {_TYPES} then 'type is none of {', '.join(_TYPES)}'",
        "when type = 'track' and event_name is null then 'the event has no name'",
        "when user_id is null and anonymous_id is null then 'there is neither a user nor an anonymous id'",
    ]
    read = {clock: "received_read" if clock == "received_at" else clock for clock in _CLOCKS}
    rules += [
        f"when {clock}_given is not null and {sql} is null then '{clock} is not a time'" for clock, sql in read.items()
    ]
    rules += ["when received_at is null then 'there is no time'"]
    for clock in ("occurred_at", "received_at"):
        rules += [
            f"when {clock} < $first then '{clock} is before the year 2000'",
            f"when {clock} > $last then '{clock} is more than a day in the future'",
        ]
    rules += [
        "when is_machine_given is not null and is_machine is null then 'is_machine is neither true nor false'",
        "when value_given is not null and value is null then 'value is not an amount'",
        "when schema_version_given is not null and version_read is null then 'schema_version is not an integer'",
    ]
    rules += [f"when {name} is not null and not json_valid({name}) then '{name} is not JSON'" for name in _DOCUMENTS]
    return "case " + " ".join(rules) + " end"
