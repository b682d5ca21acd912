"""Events that come as JSON documents, judged by their contract and brought into the columns of ``raw.events``.

One pass over the documents fills a temporary table; what is new in it is appended. The order of the documents is kept, so a
row's place says which document it was.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from orchestration.measure.contracts import Contract
from orchestration.measure.duplicates import mark_duplicates
from orchestration.measure.predicates import Place
from orchestration.measure.privacy import hidden, looks_like_address, opaque_id, without_addresses
from orchestration.measure.pseudonyms import pseudonym
from orchestration.measure.reading import literal

_FIRST = dt.datetime.fromisoformat("2000-01-01")
_CLOCKS = ("occurred_at", "original_at", "sent_at", "received_at")
_PEOPLE = ("user_id", "anonymous_id")
_TEXTS = ("experiment_id", "creative_id", "channel", "currency")
_FREE = ("source", "event_name", "send_id")
_OBJECTS = ("properties", "context")
# Fields whose columns hold something also where a document lacks them.
FILLED = frozenset({"event_id", "source", "type", "received_at", "schema_version"})
UNTIMELY = """case
                when came_at < $first then 'received_at is before the year 2000'
                when came_at > $last then 'received_at is more than a day in the future'
            end"""


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of the documents.

    Attributes:
        read: Documents.
        accepted: New events.
        duplicates: Events that were there already, in the warehouse or earlier among the documents.
        refused: Place of each document that breaks the contract (0 is the first) -> reason.
    """

    read: int
    accepted: int
    duplicates: int
    refused: list[tuple[int, str]]


def stage(
    connection: duckdb.DuckDBPyConnection, documents: str, contract: Contract, now: dt.datetime, *, is_opaque: bool
) -> None:
    """Fills the temporary table ``staged``: the columns of ``raw.events`` but for lineage, and ``reason``.

    A column that is null everywhere may be left out.

    Args:
        documents: Query of one column ``json``, null where a document is not JSON; the connection holds the pseudonyms' key.
        is_opaque: The ids of people are pseudonyms already.
    """
    judge(connection, documents, contract, now, into="staged")
    name_people(connection, is_opaque=is_opaque)


def judge(
    connection: duckdb.DuckDBPyConnection, documents: str, contract: Contract, now: dt.datetime, *, into: str
) -> None:
    """Judges each document by all its rules; as :func:`stage`, but people are not named yet.

    Args:
        into: The temporary table to make.
    """
    fields = list(contract.fields)
    typed = {name: f"types[{n}]" for n, name in enumerate(contract.typed, 1)}
    typed_paths = "[" + ", ".join(literal(f'$."{name}"') for name in typed) + "]"
    parts = ", ".join(f"texts[{n}] as v{n}" for n in range(1, len(fields) + 1))
    parts += "".join(f", {typed[name]} as t{n}" for n, name in enumerate(fields, 1) if name in typed)
    at = {}
    for n, name in enumerate(fields, 1):
        # Most types are looked up only where the text leaves a doubt.
        type_ = f"t{n}" if name in typed else "json_type(json, " + literal(f'$."{name}"') + ")"
        at[name] = Place(type_, f"v{n}", f"{name}_read" if name in _CLOCKS else None)
    known = " + ".join(f"cast({place.text} is not null as integer)" for place in at.values())
    unlisted = literal("{" + ", ".join(f'"{name}": null' for name in fields) + "}")
    connection.execute(
        f"""create or replace temp table {into} as
        with parsed as (
            select json, json_keys(json) as names, json_type(json, {typed_paths}) as types,
                json_extract_string(json, {contract.paths}) as texts
            from ({documents})
        ),
        parted as (select json, len(names) as fields, names, {parts} from parsed),
        timed as (select *, {clocks(at)} from parted),
        judged as (
            select *, case
                when coalesce(fields, 0) = 0 then 'the row is not a JSON object'
                when case when fields > {known} then len(list_distinct(names)) < fields end then 'a field is given twice'
                when {contract.certain(at)} then null
                else {contract.reason(at)} end as broken
            from timed
        )
        select
            {columns(at, nameless=pseudonym("cast(json as varchar)"))},
            case when fields > {known} then nullif(cast(json_merge_patch(json, {unlisted}) as varchar), '{{}}') end as extra,
            coalesce(broken, {UNTIMELY}) as reason
        from judged""",
        bounds(now),
    )


def clocks(at: Mapping[str, Place], known: Mapping[str, str] | None = None) -> str:
    """SQL columns of the clocks as they are read, and ``came_at``, the instant that stands for the arrival.

    Args:
        known: Of a clock that is read in part already: SQL of its time, null where it is still to be read from its text.
    """
    read = []
    for name in _CLOCKS:
        text = at[name].text
        # The calendar of time zones costs as much as all the rest of the reading.
        zoned = f"try_cast({text} as timestamptz) at time zone 'UTC'"
        moment = f"case when ends_with({text}, 'Z') then try_cast({text} as timestamp) else {zoned} end"
        read.append((f"coalesce({known[name]}, {moment})" if known and name in known else moment) + f" as {name}_read")
    return ", ".join(read) + ", coalesce(received_at_read, occurred_at_read, sent_at_read, original_at_read) as came_at"


def bounds(now: dt.datetime) -> dict[str, dt.datetime]:
    """Parameters of ``UNTIMELY``."""
    return {"first": _FIRST, "last": now + dt.timedelta(days=1)}


def columns(at: Mapping[str, Place], *, nameless: str) -> str:
    """SQL columns of ``raw.events`` from the fields of a document, but for ``extra`` and lineage; people are not hidden yet.

    Args:
        at: Where each field stands, among the columns of :func:`clocks`.
        nameless: SQL of the id of an event that came without one.
    """
    texts = [f"{at[name].text} as {name}" for name in (*_TEXTS, *_PEOPLE)]
    texts += [f"{at[name].document or f'try_cast({at[name].text} as json)'} as {name}" for name in _OBJECTS]
    texts += [f"{without_addresses(at[name].text)} as {name}" for name in _FREE]
    texts += [f"{name}_read as {name}" for name in _CLOCKS if name != "received_at"]
    event_id = at["event_id"].text
    return f"""case when {event_id} is null then {nameless}
                when {looks_like_address(event_id)} then {pseudonym(event_id)} else {event_id} end as event_id,
            coalesce({at["type"].text}, 'track') as type,
            {", ".join(texts)}, came_at as received_at,
            try_cast({at["is_machine"].text} as boolean) as is_machine,
            try_cast({at["value"].text} as decimal(18, 4)) as value,
            coalesce(try_cast({at["schema_version"].text} as integer), 1) as schema_version"""


def append(
    connection: duckdb.DuckDBPyConnection, contract: Contract, import_id: str, now: dt.datetime, *, is_opaque: bool
) -> Judged:
    """Appends what ``staged`` has that is new, known to the warehouse from ``now``; ``is_opaque`` as it was staged."""
    duplicates = mark_duplicates(connection, "staged")
    there = [row[0] for row in connection.execute("describe staged").fetchall()]
    named = [name for name in _PEOPLE if name in there]
    changed = {name: f"coalesce({name}_people.pseudonym, staged.{name})" for name in named}
    changed |= {
        name: hidden(f"staged.{name}", name, contract, is_opaque=is_opaque) for name in _OBJECTS if name in there
    }
    changed |= {"extra": f"cast({without_addresses('extra')} as json)"} if "extra" in there else {}
    values = ", ".join(f"{changed.get(name, f'staged.{name}')} as {name}" for name in there if name != "reason")
    joins = " ".join(f"left join people as {name}_people on staged.{name} = {name}_people.id" for name in named)
    # What is stored bears no order; to keep it all the same costs the engine a copy of every row.
    connection.execute("set session preserve_insertion_order = false")
    accepted = connection.execute(
        f"""insert into raw.events by name
        select {values}, $now as ingested_at, $import_id as import_id
        from staged {joins}
        where staged.reason is null and staged.rowid not in (select duplicate from duplicates)""",
        {"now": now, "import_id": import_id},
    ).fetchall()[0][0]
    connection.execute("reset session preserve_insertion_order")
    read = connection.execute("select count(*) from staged").fetchall()[0][0]
    refused = connection.execute(
        """select rowid - (select min(rowid) from staged) as place, reason
        from staged where reason is not null order by place"""
    ).fetchall()
    return Judged(read, accepted, duplicates, refused)


def name_people(connection: duckdb.DuckDBPyConnection, *, is_opaque: bool) -> None:
    """Fills ``people``: each distinct id once, since a pseudonym costs more than a look-up."""
    there = [row[0] for row in connection.execute("describe staged").fetchall()]
    ids = " union all ".join(
        f"select {name} as id from staged where {name} is not null" for name in _PEOPLE if name in there
    )
    connection.execute(
        f"""create or replace temp table people as
        select id, {opaque_id("id", is_opaque=is_opaque)} as pseudonym from (select distinct id from ({ids}))"""
    )
