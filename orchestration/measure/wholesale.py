"""Files of events whose documents are nearly all good: read once, field by field, and accepted by their texts.

The engine's reader splits a document into its fields for a third of what a look at the document as JSON costs, but it tells
neither which fields it left out nor why it failed. So the names come from the first lines, and any other name, a repeated one or
a line that is no object stops the reading. A file with such lines is read by a reader that passes over them, and a second look finds
the documents of which it left something out. These are judged one by one, as is each that is not certain to be good; if they are many,
so is the whole file. What is stored does not depend on the way taken.
"""

import datetime as dt
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import duckdb

from orchestration.measure import documents
from orchestration.measure.contracts import Contract
from orchestration.measure.predicates import Place
from orchestration.measure.reading import identifier, literal, place_of

_UNJUDGED = "not judged yet"
_SHAPES = tuple(f'"2___-__-__T__:__:__{fraction}Z"' for fraction in (".______", ".___", ""))
_FORMATS = ('"%Y-%m-%dT%H:%M:%S.%fZ"', '"%Y-%m-%dT%H:%M:%SZ"')
_SAMPLE = 20_000  # documents whose names are taken as those of the file
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
    expects_faults: bool = False,
) -> bool:
    """Fills ``staged`` as :func:`documents.stage` does.

    Args:
        objects: Query of the file's documents, one column ``json``.
        longest: Bytes of a line.
        expects_faults: Begin with the reader that passes over what it cannot read, instead of coming to it when the other was stopped.

    Returns:
        Whether it could; if not, the file has to be judged document by document.
    """
    options = f"format = 'newline_delimited', maximum_object_size = {longest}"
    found = [] if expects_faults else _read_strictly(connection, path, options, contract, now)
    if not found or _has_too_many_doubts(connection):
        usual = _usual_names(connection, objects, contract)
        named = list(dict.fromkeys(name for names in usual for name in names))
        if not named or set(named) == set(found):
            return False
        columns = ", ".join(f"{literal(name)}: 'JSON'" for name in named)
        lenient = f"read_json({place_of(path)}, {options}, ignore_errors = true, columns = {{{columns}}})"
        _accept(connection, lenient, named, contract, now)
        _doubt_other_names(connection, objects, usual, named)
        if _has_too_many_doubts(connection):
            return False
    _judge_the_rest(connection, objects, contract, now)
    documents.name_people(connection, is_opaque=is_opaque)
    return True


def _read_strictly(
    connection: duckdb.DuckDBPyConnection, path: Path, options: str, contract: Contract, now: dt.datetime
) -> list[str]:
    """The names by which ``staged`` was filled; none if the reading was stopped, or they are not told apart."""
    reader = f"""read_json({place_of(path)}, {options}, records = 'true', maximum_depth = 1, map_inference_threshold = -1,
        field_appearance_threshold = 0)"""
    try:
        found = [row[0] for row in connection.execute(f"describe select * from {reader}").fetchall()]
        if not _are_told_apart(found):
            return []
        _accept(connection, reader, found, contract, now, has_others=False)
    except (duckdb.InvalidInputException, duckdb.BinderException):
        return []
    return found


def _has_too_many_doubts(connection: duckdb.DuckDBPyConnection) -> bool:
    query = "select count(*) filter (reason = $1) > $2 * count(*) from staged"
    return bool(connection.execute(query, [_UNJUDGED, _SHARE]).fetchall()[0][0])


def _usual_names(connection: duckdb.DuckDBPyConnection, objects: str, contract: Contract) -> list[list[str]]:
    """Lists of names of the first documents, the most frequent first.

    None repeats a name, has one that differs from another by case alone, or one beyond the contract that many documents lack.
    """
    lists = connection.execute(
        f"""select names, count(*) as n
        from (select json_keys(json) as names from ({objects}) where json_type(json) = 'OBJECT' limit {_SAMPLE})
        group by names order by n desc, names"""
    ).fetchall()
    told: Counter[str] = Counter()
    for names, count in lists:
        told.update(dict.fromkeys(names, count))
    often = (1 - _SHARE) * sum(count for _, count in lists)
    usual: list[list[str]] = []
    known: list[str] = []
    for names, _ in lists:
        more = [*known, *(name for name in names if name not in known)]
        is_common = all(name in contract.fields or told[name] >= often for name in names)
        if is_common and len(set(names)) == len(names) and _are_told_apart(more):
            usual, known = [*usual, names], more
    return usual


def _doubt_other_names(
    connection: duckdb.DuckDBPyConnection, objects: str, usual: list[list[str]], found: list[str]
) -> None:
    """Takes back what was said of documents that repeat a name or have one that was not read."""
    # Lists are compared with the two most frequent ones first, since to look into a list costs several times as much.
    same = " or ".join(f"names = ${place}" for place in ("first", "second"))
    others = f"not case when {same} then true else list_has_all($found, names) and len(list_distinct(names)) = len(names) end"
    told = {"first": usual[0], "second": usual[min(1, len(usual) - 1)], "found": found}
    there = f"select count(*) from (select json_keys(json) as names from ({objects})) where {others}"
    if connection.execute(there, told).fetchall()[0][0]:  # to number the lines costs as much again
        connection.execute(
            f"""update staged set reason = $unjudged where rowid - (select min(rowid) from staged) in (
                select line from (select row_number() over () - 1 as line, json_keys(json) as names from ({objects}))
                where {others})""",
            told | {"unjudged": _UNJUDGED},
        )


def _are_told_apart(found: Sequence[str]) -> bool:
    """Whether the columns are surely named as the fields: the reader adds a number to names that differ by case alone."""
    plain = {re.sub(r"(_[0-9]+)+$", "", name.lower()) for name in found}
    return len(plain) == len(found) and "" not in plain


def _accept(
    connection: duckdb.DuckDBPyConnection,
    reader: str,
    found: Sequence[str],
    contract: Contract,
    now: dt.datetime,
    *,
    has_others: bool = True,
) -> None:
    """Fills ``staged``; the reason of what is not certain to be good is that it is not judged yet.

    Args:
        has_others: Documents may have fields beyond ``found``; if none has, ``staged`` needs no columns for them.

    Raises:
        duckdb.InvalidInputException: if the reader was stopped.
    """
    # The file's own names could be those of the columns made here.
    place = {name: f"f{n}" for n, name in enumerate(found)}
    read, at, told, known = [f"{identifier(name)} as {place[name]}" for name in found], {}, [], {}
    for n, (name, schema) in enumerate(contract.fields.items()):
        column = place.get(name, "cast(null as json)")
        plain = f"cast({column} as varchar)"
        text, type_ = f"json_extract_string({column}, '$')", f"json_type({column})"
        at[name] = Place("null", f"v{n}", f"{name}_read" if name.endswith("_at") else None)
        if name in contract.typed:  # an object is its own text; to look into it again costs as much as its reading
            is_object = f"starts_with({plain}, '{{')"
            text = f"case when {is_object} then {plain} else {text} end"
            told.append(f"case when {is_object} then 'OBJECT' else {type_} end as t{n}")
            at[name] = Place(f"t{n}", f"v{n}", document=column)
        elif "enum" in schema:  # a word that is expected is known by its sight
            words = [value for value in schema["enum"] if isinstance(value, str)]
            seen = " ".join(f"when {literal(json.dumps(word))} then {literal(word)}" for word in words)
            text = f"case {plain} {seen} else {text} end"
        elif schema.get("format") == "date-time" and name in place:
            read.append(f"{at_sight(f'cast({identifier(name)} as varchar)')} as m{n}")
            known[name] = f"m{n}"
            text = f"case when m{n} is null then {text} end"
            at[name] = Place("null", f"v{n}", f"{name}_read", is_there=f"(m{n} is not null or v{n} is not null)")
        told.append(f"{text} as v{n}")
    others = [name for name in found if name not in contract.fields]
    # A null may stand in the document or not; only the document tells.
    has_all = " and ".join(f"{place[name]} is not null" for name in others) or "true"
    kept = ", ".join(f"{literal(name)}, {place[name]}" for name in others)
    extra = f"cast(json_object({kept}) as varchar)" if others else "cast(null as varchar)"
    absent = [] if has_others else sorted(contract.fields.keys() - place.keys() - documents.FILLED)
    absent += [] if has_others or others else ["extra"]
    stored = f"* exclude ({', '.join(absent)})" if absent else "*"
    connection.execute(
        f"""create or replace temp table staged as
        with read as (select {", ".join(read)} from {reader}),
        told as (select *, {", ".join(told)}, {extra} as extra, {has_all} as has_all from read),
        timed as (select *, {documents.clocks(at, known)} from told),
        judged as (
            select {documents.columns(at, nameless="''")}, extra,
                case when has_all and {at["event_id"].text} is not null and {contract.certain(at)} then {documents.UNTIMELY}
                else $unjudged end as reason
            from timed
        )
        select {stored} from judged""",
        documents.bounds(now) | {"unjudged": _UNJUDGED},
    )


def at_sight(text: str) -> str:
    """SQL of the time that a JSON text of a usual shape tells, null where it is of another.

    Its quotes need not be taken off first. In these shapes the parser takes nothing that is no time by the contract.
    """
    shapes = " or ".join(f"strlen({text}) = {len(shape)} and {text} like {literal(shape)}" for shape in _SHAPES)
    return f"case when {shapes} then try_strptime({text}, [{literal(_FORMATS[0])}, {literal(_FORMATS[1])}]) end"


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
    columns = [row[0] for row in connection.execute("describe staged").fetchall()]
    connection.execute(
        f"""update staged set {", ".join(f"{name} = judged.{name}" for name in columns)}
        from (select place, rest.* from rest join doubtful on nth = rest.rowid - (select min(rowid) from rest)) as judged
        where staged.rowid = judged.place"""
    )
