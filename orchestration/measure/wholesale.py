"""Files of events whose documents are nearly all good: read once, field by field, and accepted by their texts.

The engine's reader splits a document into its fields for a third of what a look at the document as JSON costs, but it tells
neither which fields it left out nor why it failed. So the names come from the first lines, and any other name, a repeated one or
a line that is no object stops the reading. Then all names are looked up, and the reader passes over what it cannot read; documents
that it passed over, or that are named otherwise than nearly all, are judged one by one, as is each that is not certain to be good.
If these are many, so is the whole file. What is stored does not depend on the way taken.
"""

import datetime as dt
import re
from collections.abc import Sequence
from pathlib import Path

import duckdb

from orchestration.measure import documents
from orchestration.measure.contracts import Contract
from orchestration.measure.predicates import Place
from orchestration.measure.reading import identifier, literal, place_of

_UNJUDGED = "not judged yet"
_LISTS = 1_000  # different lists of names in a file above which it has no usual ones
_RARE = 0.001  # of documents with a list of names up to which it is not a usual one
_SHARE = 0.05  # of documents in doubt above which one more look at all is cheaper than an update; decides the time, no outcome


def stage(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    objects: str,
    contract: Contract,
    now: dt.datetime,
    *,
    longest: int,
    is_opaque: bool,
) -> bool:
    """Fills ``staged`` as :func:`documents.stage` does.

    Args:
        objects: Query of the file's documents, one column ``json``.
        longest: Bytes of a line.

    Returns:
        Whether it could; if not, the file has to be judged document by document.
    """
    options = f"format = 'newline_delimited', maximum_object_size = {longest}"
    reader = f"""read_json({place_of(path)}, {options}, records = 'true', maximum_depth = 1, map_inference_threshold = -1,
        field_appearance_threshold = 0)"""
    found: list[str] = []
    try:
        found = [row[0] for row in connection.execute(f"describe select * from {reader}").fetchall()]
        is_read = _are_told_apart(found) and _accept(connection, reader, found, contract, now)
    except (duckdb.InvalidInputException, duckdb.BinderException):
        is_read = False
    if not is_read or _has_too_many_doubts(connection):
        named = _names(connection, objects)
        if named is None or (is_read and set(named[0]) == set(found)):
            return False
        found, odd = named
        columns = ", ".join(f"{literal(name)}: 'JSON'" for name in found)
        lenient = f"read_json({place_of(path)}, {options}, ignore_errors = true, columns = {{{columns}}})"
        _accept(connection, lenient, found, contract, now)
        _doubt(connection, objects, odd)
        if _has_too_many_doubts(connection):
            return False
    _judge_the_rest(connection, objects, contract, now)
    documents.name_people(connection, is_opaque=is_opaque)
    return True


def _has_too_many_doubts(connection: duckdb.DuckDBPyConnection) -> bool:
    query = "select count(*) filter (reason = $1) > $2 * count(*) from staged"
    return bool(connection.execute(query, [_UNJUDGED, _SHARE]).fetchall()[0][0])


def _names(connection: duckdb.DuckDBPyConnection, objects: str) -> tuple[list[str], list[tuple[str, ...]]] | None:
    """Names that nearly all documents use, and the lists of names of the others; None if these are too many.

    A document is one of the others if it repeats a name, or has one that differs from another's by case alone.
    """
    query = (
        f"select json_keys(json) as names, count(*) as n from ({objects}) where json_type(json) = 'OBJECT' group by all"
    )
    lists = connection.execute(
        f"select names, n, sum(n) over () from ({query}) order by n desc, names limit {_LISTS + 1}"
    ).fetchall()
    if not lists or len(lists) > _LISTS:
        return None
    found: list[str] = []
    odd: list[tuple[str, ...]] = []
    for names, count, total in lists:
        more = [*found, *dict.fromkeys(name for name in names if name not in found)]
        is_plain = len(set(names)) == len(names) and _are_told_apart(more)
        # A name that a few documents alone have is not worth a column.
        if is_plain and (len(more) == len(found) or count > _RARE * total):
            found = more
        else:
            odd.append(tuple(names))
    return (found, odd) if found else None


def _doubt(connection: duckdb.DuckDBPyConnection, objects: str, odd: list[tuple[str, ...]]) -> None:
    """Takes back what was said of documents with these lists of names."""
    if not odd:
        return
    connection.execute(
        f"""update staged set reason = $unjudged where rowid - (select min(rowid) from staged) in (
            select line from (select row_number() over () - 1 as line, json_keys(json) as names from ({objects}))
            where names in (select unnest($odd)))""",
        {"unjudged": _UNJUDGED, "odd": [list(names) for names in odd]},
    )


def _are_told_apart(found: Sequence[str]) -> bool:
    """Whether the columns are surely named as the fields: the reader adds a number to names that differ by case alone."""
    plain = {re.sub(r"(_[0-9]+)+$", "", name.lower()) for name in found}
    return len(plain) == len(found) and "" not in plain


def _accept(
    connection: duckdb.DuckDBPyConnection, reader: str, found: Sequence[str], contract: Contract, now: dt.datetime
) -> bool:
    """Fills ``staged``; the reason of what is not certain to be good is that it is not judged yet.

    Raises:
        duckdb.InvalidInputException: if the reader was stopped.
    """
    at, told = {}, []
    for n, name in enumerate(contract.fields, 1):
        column = identifier(name) if name in found else "cast(null as json)"
        text, type_ = f"json_extract_string({column}, '$')", f"json_type({column})"
        if name in contract.typed:  # an object is its own text; to look into it again costs as much as its reading
            is_object = f"starts_with(cast({column} as varchar), '{{')"
            text = f"case when {is_object} then cast({column} as varchar) else {text} end"
            told.append(f"case when {is_object} then 'OBJECT' else {type_} end as t{n}")
        told.append(f"{text} as v{n}")
        read = f"{name}_read" if name.endswith("_at") else None
        at[name] = Place(f"t{n}" if name in contract.typed else "null", f"v{n}", read)
    others = [name for name in found if name not in contract.fields]
    # A null may stand in the document or not; only the document tells.
    has_all = " and ".join(f"{identifier(name)} is not null" for name in others) or "true"
    kept = ", ".join(f"{literal(name)}, {identifier(name)}" for name in others)
    extra = f"cast(json_object({kept}) as varchar)" if others else "cast(null as varchar)"
    connection.execute(
        f"""create or replace temp table staged as
        with told as (select {", ".join(told)}, {extra} as extra, {has_all} as has_all from {reader}),
        timed as (select *, {documents.clocks(at)} from told)
        select {documents.columns(at, nameless="''")}, extra,
            case when has_all and {at["event_id"].text} is not null and {contract.certain(at)} then {documents.UNTIMELY}
                else $unjudged end as reason
        from timed""",
        documents.bounds(now) | {"unjudged": _UNJUDGED},
    )
    return True


def _judge_the_rest(connection: duckdb.DuckDBPyConnection, objects: str, contract: Contract, now: dt.datetime) -> None:
    """Judges the documents in doubt by all their rules, and puts what they come to in their places."""
    connection.execute(
        """create or replace temp table doubtful as
        select rowid as place, rowid - (select min(rowid) from staged) as line, row_number() over (order by rowid) - 1 as nth
        from staged where reason = $1""",
        [_UNJUDGED],
    )
    if not connection.execute("select count(*) from doubtful").fetchall()[0][0]:
        return
    rest = f"""select json from (select json, row_number() over () - 1 as line from ({objects}))
        where line in (select line from doubtful) order by line"""
    documents.judge(connection, rest, contract, now, into="rest")
    columns = [row[0] for row in connection.execute("describe rest").fetchall()]
    connection.execute(
        f"""update staged set {", ".join(f"{name} = judged.{name}" for name in columns)}
        from (select place, rest.* from rest join doubtful on nth = rest.rowid - (select min(rowid) from rest)) as judged
        where staged.rowid = judged.place"""
    )
