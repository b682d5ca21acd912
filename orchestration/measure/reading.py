"""Opens CSV, Parquet and newline-delimited JSON as a temporary table; rows that cannot be read at all are set aside.

CSV and JSON come as text, whatever they look like: a guessed type would turn a bad value into an error of the whole
file, and a guessed dialect can silently split a quoted value. Types are the business of the checks that follow.
"""

import csv
import gzip
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration.errors import Refusal
from orchestration.measure.packing import is_packed

_JSON = {".ndjson", ".jsonl", ".json"}
_DELIMITERS = ",;\t|"
_LONGEST = 16_000_000  # bytes of one line
_LINES = f"""header = false, auto_detect = false, columns = {{'line': 'VARCHAR'}}, delim = '\x01', quote = '',
    escape = '', max_line_size = {_LONGEST}, strict_mode = false"""


@dataclass(frozen=True, slots=True)
class Opened:
    """A file whose columns are known.

    Attributes:
        columns: Name -> DuckDB type, in the file's order.
        rows: Query of the readable rows: ``__row`` (1 is the first row of data), then the columns.
        faults: Query of the others, to be run after ``rows`` was: ``__row, reason, line``; None where there are none.
    """

    columns: dict[str, str]
    rows: str
    faults: str | None = None


def is_readable(name: str) -> bool:
    """Whether a file's name says it is one of the formats, compressed or not."""
    return _format(Path(name[: name.rindex(".")] if is_packed(name) else name)) is not None


def is_lines(path: Path) -> bool:
    """Whether a file holds JSON, one document a line (an array spans them)."""
    if _format(path) != "json":
        return False
    try:
        opener = gzip.open if path.suffix.lower() == ".gz" else open
        with opener(path, "rb") as stream:
            return not stream.read(10_000).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")
    except (OSError, EOFError):
        return path.suffix.lower() != ".json"


def open_file(connection: duckdb.DuckDBPyConnection, path: Path) -> Opened:
    """Finds a file's columns.

    Raises:
        Refusal: if its format is unknown, its content is not of that format, or it holds nothing.
    """
    format_ = _format(path)
    if format_ is None:
        known = ".csv, .parquet, .ndjson, .jsonl or .json, also with .gz, .zst or .bz2"
        raise Refusal(path.name, "is of no known format", f"Give {known}.")
    try:
        return {"parquet": _parquet, "csv": _csv, "json": _json}[format_](connection, path)
    except (duckdb.Error, OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> Refusal:
    """The refusal of a file whose content is not what its name says."""
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return Refusal(path.name, f"cannot be read ({reason})", "Check the file, or write it again.")


def load(
    connection: duckdb.DuckDBPyConnection, opened: Opened, replaced: Mapping[str, str], *, hide_lines: bool
) -> None:
    """Fills the temporary tables ``source_rows (__row, columns)`` and ``unreadable (__row, reason, payload)``.

    Args:
        replaced: Column -> expression that takes its place, so that nothing downstream sees the column itself.
        hide_lines: Keep the text of unreadable rows out of ``unreadable``; it may hold what ``replaced`` hides.
    """
    stars = ", ".join(f"{expression} as {identifier(name)}" for name, expression in replaced.items())
    columns = f"* replace ({stars})" if stars else "*"
    connection.execute(f"create or replace temp table source_rows as select {columns} from ({opened.rows})")
    line = "'(withheld: it may name a person)'" if hide_lines else "line"
    faults = opened.faults or "select 0::bigint as __row, '' as reason, '' as line where false"
    connection.execute(
        f"""create or replace temp table unreadable as
        select __row, reason, json_object('line', {line}) as payload from ({faults})"""
    )
    if opened.faults and "reject_errors" in opened.faults:
        _count_rejected_lines(connection)


def identifier(name: str) -> str:
    """A column's name, quoted."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: object) -> str:
    """A value as SQL text."""
    return "'" + str(value).replace("'", "''") + "'"


def _format(path: Path) -> str | None:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes[-1:] == [".parquet"]:
        return "parquet"
    last = suffixes[-2:-1] if suffixes[-1:] == [".gz"] else suffixes[-1:]
    return "csv" if last == [".csv"] else "json" if last and last[0] in _JSON else None


def place_of(path: Path) -> str:
    """A file's name as SQL text that the readers do not take for a pattern."""
    return literal(re.sub(r"([*?\[])", r"[\1]", str(path)))  # the readers take a name for a pattern


def _parquet(connection: duckdb.DuckDBPyConnection, path: Path) -> Opened:
    reader = f"read_parquet({place_of(path)}, hive_partitioning = false)"
    described = connection.execute(f"describe select * from {reader}").fetchall()
    return Opened({row[0]: row[1] for row in described}, f"select row_number() over () as __row, * from {reader}")


def _csv(connection: duckdb.DuckDBPyConnection, path: Path) -> Opened:
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig", newline="") as stream:
        start = stream.read(1_000_000)
    first = start.splitlines()[0] if start.strip() else ""
    delimiter = max(_DELIMITERS, key=first.count)
    header = next(csv.reader(start.splitlines(keepends=True), delimiter=delimiter), [])
    named = [name.strip() or f"column_{place}" for place, name in enumerate(header, 1)]
    if not named:
        raise Refusal(path.name, "is empty", "Give a file with a line of column names and rows.")
    if twice := next((name for name in named if [n.lower() for n in named].count(name.lower()) > 1), None):
        raise Refusal(path.name, f"has two columns named {twice!r}", "Give every column its own name.")
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in named)
    reader = f"""read_csv({place_of(path)}, header = true, auto_detect = false, columns = {{{columns}}},
        delim = {literal(delimiter)}, quote = '"', escape = '"', max_line_size = {_LONGEST}, store_rejects = true,
        hive_partitioning = false)"""
    connection.execute("drop table if exists reject_errors")
    connection.execute("drop table if exists reject_scans")
    faults = """select line - 1 as __row,
        'the row cannot be read: ' || lower(replace(min(error_type)::varchar, '_', ' ')) as reason,
        any_value(csv_line) as line from reject_errors group by line"""
    return Opened(dict.fromkeys(named, "VARCHAR"), f"select row_number() over () as __row, * from {reader}", faults)


def _count_rejected_lines(connection: duckdb.DuckDBPyConnection) -> None:
    """Rejected lines were not counted when the others got their numbers: moves those up."""
    if connection.execute("select count(*) from unreadable").fetchall()[0][0]:
        connection.execute(
            """create or replace temp table source_rows as
            with gaps as (
                select __row - ordinal as behind, max(ordinal) as skipped
                from (select __row, row_number() over (order by __row) as ordinal from unreadable)
                group by all
            )
            select source_rows.* replace (__row + coalesce(skipped, 0) as __row)
            from source_rows asof left join gaps on source_rows.__row > gaps.behind"""
        )


def _json(connection: duckdb.DuckDBPyConnection, path: Path) -> Opened:
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig") as stream:
        start = stream.read(10_000).lstrip()
    if start.startswith("["):
        objects = f"read_json_objects({place_of(path)}, format = 'array', maximum_object_size = {_LONGEST})"
        lines = f"select row_number() over () as __row, cast(json as varchar) as line from {objects}"
    else:
        lines = f"select row_number() over () as __row, line from read_csv({place_of(path)}, {_LINES})"
    connection.execute(
        f"""create or replace temp table json_lines as
        select *, case when json_valid(line) then json_type(line) = 'OBJECT' else false end as is_object from ({lines})
        where trim(line) <> ''"""
    )
    found = connection.execute(
        """select key from (
            select __row, unnest(json_keys(line)) as key, generate_subscripts(json_keys(line), 1) as place
            from json_lines where is_object
        ) group by key order by min(__row), min(place)"""
    ).fetchall()
    if not found and connection.execute("select 1 from json_lines limit 1").fetchall():
        reason = "holds no JSON object with a value under a name"
        raise Refusal(path.name, reason, "Write one object per line, with the columns' names as keys.")
    named = list({key.lower(): key for (key,) in reversed(found)}.values())[::-1]
    paths = ", ".join(literal(f'$."{name}"') for name in named)
    picked = ", ".join(f"found[{place}] as {identifier(name)}" for place, name in enumerate(named, 1))
    rows = f"""select __row, {picked or "null as nothing"} from (
        select __row, json_extract_string(line, [{paths}]) as found from json_lines where is_object)"""
    faults = "select __row, 'the row is not a JSON object' as reason, line from json_lines where not is_object"
    return Opened(dict.fromkeys(named, "VARCHAR"), rows, faults)
