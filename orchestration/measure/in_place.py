"""Parquet files of events that stay where they lie: checked once in one reading, then read by the models, never copied.

For tables of events too big to have twice. What an import would mend row by row (bad rows set aside, ids made pseudonyms, addresses
withheld) cannot be done to a file that is only read; a file that needs any of it is refused, and can be imported instead.
"""

import datetime as dt
from pathlib import Path

import duckdb

from orchestration.edges.clock import Clock
from orchestration.edges.warehouse import Warehouse, transaction
from orchestration.errors import Refusal
from orchestration.measure import events
from orchestration.measure.contracts import read_contract
from orchestration.measure.mapping import EventsMapping, Mapping
from orchestration.measure.privacy import hidden, looks_like_address, may_name_people
from orchestration.measure.reading import literal, open_file, place_of, unreadable
from orchestration.measure.report import ImportReport, Progress, earlier, import_id_of, is_withdrawn, record
from orchestration.measure.targets import Targets

_COPY = "Mend the file, or import it without --in-place."
_NUMBER = "file_row_number"
_OF_PEOPLE = ("event_id", "user_id", "anonymous_id", "source", "event_name", "send_id")
_DOCUMENTS = ("properties", "context")
# The columns of raw.events, in their order.
_COLUMNS = {
    **dict.fromkeys(("event_id", "source", "type", "event_name", "user_id", "anonymous_id"), "varchar"),
    **dict.fromkeys(("occurred_at", "original_at", "sent_at", "received_at", "ingested_at"), "timestamp"),
    **dict.fromkeys(("experiment_id", "creative_id", "send_id", "channel"), "varchar"),
    "is_machine": "boolean",
    "value": "decimal(18, 4)",
    "currency": "varchar",
    "properties": "json",
    "context": "json",
    "schema_version": "integer",
    "import_id": "varchar",
}
_TEXTS = tuple(name for name, type_ in _COLUMNS.items() if type_ == "varchar" and name not in {"type", "import_id"})


def attach(warehouse: Warehouse, path: Path, mapping: Mapping, clock: Clock, progress: Progress | None) -> ImportReport:
    """Lets the models read a Parquet file of events where it lies; the same file under the same mapping only once.

    Args:
        mapping: Of events whose ids of people are opaque already.
        clock: When the warehouse learns of the events, and what counts as the future.
        progress: Told in one line what is being done.

    Raises:
        Refusal: if the file is no Parquet, or any of its rows would have to be set aside or changed.
        WarehouseLocked: if another process writes to the warehouse.
    """
    tell = progress or (lambda line: None)
    if not isinstance(mapping, EventsMapping) or path.suffix.lower() != ".parquet":
        raise Refusal(path.name, "is no Parquet file of events", "Import it without --in-place.")
    if mapping.pseudonymise:
        raise Refusal(
            path.name,
            "would show ids of people as they are",
            "Say --set pseudonymise=false if they are opaque already, or import it without --in-place.",
        )
    path, now = path.resolve(), clock.now()
    bytes_, changed_at = _state(path)
    import_id = import_id_of(f"{path} {bytes_} {changed_at.isoformat()}", mapping, "in place")
    warehouse.migrate()
    with warehouse.connect() as connection:
        known = earlier(connection, import_id, mapping.kind)
        if known and not is_withdrawn(connection, import_id):
            tell(f"{path.name}: is read in place already, nothing to do")
            return known
        if connection.execute("select 1 from raw.event_files where path = ?", [str(path)]).fetchone():
            raise Refusal(
                path.name,
                "was changed after it was taken in",
                "Put it back and give new events a new file, or take the import back (`loop imports withdraw`) and import this one.",
            )
        opened = open_file(connection, path)
        if _NUMBER in {name.lower() for name in opened.columns}:
            raise Refusal(path.name, f"has a column {_NUMBER}, as DuckDB names the number of a row", _COPY)
        targets = Targets(mapping, opened.columns, path.name)
        tell(f"{path.name}: checking")
        try:
            rows, plain = _checked(connection, path, mapping, targets, now)
        except duckdb.Error as error:
            raise unreadable(path, error) from error
        if known:  # it was taken back, and comes again
            import_id = import_id_of(
                f"{path} {bytes_} {changed_at.isoformat()}", mapping, f"in place again at {now.isoformat()}"
            )
        [[first]] = connection.execute("select coalesce(max(first_row + events), 0) from raw.event_files").fetchall()
        query = _query(path, mapping, targets, plain, import_id, now, first)
        with transaction(connection):
            connection.execute(
                "insert into raw.event_files values (?, ?, ?, ?, ?, ?, ?, ?)",
                [import_id, str(path), bytes_, changed_at, rows, query, now, first],
            )
            counts = {"read": rows, "accepted": rows, "quarantined": 0}
            report = record(connection, import_id, mapping.kind, path.name, now, **counts)
            _show(connection)
    tell(f"{path.name}: {rows:,} events are read in place")
    return report


def require_unchanged(warehouse: Warehouse) -> int:
    """Checks that every file that is read in place is still the one that was checked; returns how many there are.

    Raises:
        Refusal: naming the first that is gone or was changed.
    """
    files = warehouse.rows("select import_id, path, bytes, changed_at from raw.event_files order by path")
    for file in files:
        import_id = file["import_id"][:12]
        remedy = f"Put it back, or say where it is now (`loop imports move {import_id} PATH`) or that it counts no more (`withdraw`)."
        try:
            state = _state(Path(file["path"]))
        except Refusal as refusal:
            raise Refusal(file["path"], "is read in place and cannot be read any more", remedy) from refusal
        if state != (file["bytes"], file["changed_at"]):
            raise Refusal(file["path"], "was changed after it was taken in to be read in place", remedy)
    if files and not warehouse.rows("select 1 from raw.events_in_place limit 1"):  # after a migration of the view
        with warehouse.connect() as connection:
            _show(connection)
    return len(files)


def move(warehouse: Warehouse, import_id: str, path: Path) -> None:
    """Reads a file that is read in place where it lies now; it must be of the same size and hold as many rows.

    Raises:
        Refusal: if that import is no file that is read in place, or the path another file.
        WarehouseLocked: if another process writes to the warehouse.
    """
    path = path.resolve()
    bytes_, changed_at = _state(path)
    warehouse.migrate()
    found = warehouse.rows("select * from raw.event_files where starts_with(import_id, ?)", [import_id])
    if len(found) != 1 or not import_id:
        raise Refusal(
            f"import {import_id}", "is no file that is read in place", "`loop imports list` names what was imported."
        )
    [file] = found
    with warehouse.connect() as connection:
        try:
            [[rows]] = connection.execute(f"select count(*) from {_reader(path)}").fetchall()
        except duckdb.Error as error:
            raise unreadable(path, error) from error
        if (bytes_, rows) != (file["bytes"], file["events"]):
            raise Refusal(
                str(path),
                f"is not the file that was taken in ({bytes_:,} bytes and {rows:,} rows, not {file['bytes']:,} and {file['events']:,})",
                "Name that file, or take it back and import this one.",
            )
        with transaction(connection):
            connection.execute(
                "update raw.event_files set path = ?, changed_at = ?, query = ? where import_id = ?",
                [
                    str(path),
                    changed_at,
                    file["query"].replace(place_of(Path(file["path"])), place_of(path)),
                    file["import_id"],
                ],
            )
            _show(connection)


def forget(connection: duckdb.DuckDBPyConnection, import_id: str) -> None:
    """Lets the models read a file no more."""
    connection.execute("delete from raw.event_files where import_id = ?", [import_id])
    _show(connection)


def _show(connection: duckdb.DuckDBPyConnection) -> None:
    """Writes the view of all files anew."""
    queries = [row[0] for row in connection.execute("select query from raw.event_files order by first_row").fetchall()]
    nulls = ", ".join(f"cast(null as {type_}) as {name}" for name, type_ in (_COLUMNS | {"row_key": "ubigint"}).items())
    together = "\nunion all\n".join(queries) or f"select {nulls} where false"
    connection.execute(f"create or replace view raw.events_in_place as {together}")


def _state(path: Path) -> tuple[int, dt.datetime]:
    try:
        found = path.stat()
    except OSError as error:
        raise Refusal(str(path), f"cannot be read ({error.strerror})", "Check the path and its permissions.") from error
    return found.st_size, dt.datetime.fromtimestamp(found.st_mtime, dt.UTC).replace(tzinfo=None)


def _checked(
    connection: duckdb.DuckDBPyConnection, path: Path, mapping: EventsMapping, targets: Targets, now: dt.datetime
) -> tuple[int, set[str]]:
    """Number of rows, and the columns that may be read as they stand, because cleaning them changes nothing.

    The file is read once, all columns taken to be plain, and again if some turn out not to be.

    Raises:
        Refusal: if the file is empty, or any row would have to be set aside or changed.
    """
    targets.require("event_id")
    doubts, asked = _doubts(mapping, targets), _asked(targets)
    plain = set(doubts)
    while True:
        texts = plain - {"received_at"}
        query = events.judged(mapping, targets, f"select 0 as __row, * from {_reader(path)}", texts)
        counts = "".join(f", {count}" for count in (*asked.values(), *(doubts[name] for name in plain)))
        [row] = connection.execute(
            f"select count(*), min(reason){counts} from ({query})", events.bounds(now)
        ).fetchall()
        if not row[0]:
            raise Refusal(path.name, "is empty", "Give a file with rows.")
        doubtful = {name for name, number in zip(plain, row[2 + len(asked) :], strict=True) if number}
        if not doubtful:
            break
        plain -= doubtful
    for what, number in zip(asked, row[2 : 2 + len(asked)], strict=True):
        if number:
            such = f" ({row[1]})" if what == "to be set aside" else ""
            raise Refusal(path.name, f"has {number:,} rows {what}{such}", _COPY)
    return row[0], plain


def _doubts(mapping: EventsMapping, targets: Targets) -> dict[str, str]:
    """SQL by column of how many texts cleaning would change in it: those it trims or takes for null.

    Other scripts have blanks of their own, so their texts are cleaned each time.
    """
    texts = [name for name in (*_TEXTS, *_DOCUMENTS) if targets.is_text_column(name)]
    texts = [name for name in texts if not (name == "event_name" and mapping.aliases)]
    # What is empty or begins with a blank comes before every other text. A case, because `and` would lower every text.
    rule = """count(*) filter (case when {0} < '!' or ends_with({0}, ' ') or strlen({0}) <> length({0}) then true
        when strlen({0}) = 3 then lower({0}) = 'nan' else false end)"""
    doubts = {name: rule.format(_given(name)) for name in texts}
    if targets.has("received_at"):  # never null, it needs no stand-in, and a filter on it reaches the file
        doubts["received_at"] = "count(*) - count(received_read)"
    return doubts


def _asked(targets: Targets) -> dict[str, str]:
    """SQL by fault of how many rows have it, over ``events.judged``."""
    contract = read_contract("event")
    asked = {"without an event_id": "count(*) - count(id_given)", "to be set aside": "count(reason)"}
    asked |= {
        f"with an address in {name}": f"count(*) filter ({looks_like_address(_given(name))})"
        for name in _OF_PEOPLE
        if targets.has(name)
    }
    asked |= {
        f"with people in {name}": f"""count(*) filter (case when {may_name_people(name, name, contract, is_opaque=True)}
            then cast({name} as json) is distinct from {hidden(name, name, contract, is_opaque=True)} else false end)"""
        for name in _DOCUMENTS
        if targets.has(name)
    }
    return asked


def _given(name: str) -> str:
    """SQL of a text as it came: the one of an event's id costs less than the one that stands in for it."""
    return "id_given" if name == "event_id" else name


def _query(
    path: Path,
    mapping: EventsMapping,
    targets: Targets,
    plain: set[str],
    import_id: str,
    now: dt.datetime,
    first: int,
) -> str:
    """SQL of the file's rows as those of raw.events, each with its number, from ``first`` on."""
    columns = events.cleaned(mapping, targets, plain - {"received_at"})
    columns = {name: columns[name] if name == "type" or targets.has(name) else "null" for name in columns}
    clocks = [columns[name] for name in ("received_at", "occurred_at", "sent_at", "original_at") if targets.has(name)]
    columns |= {
        "schema_version": f"coalesce({columns['schema_version']}, 1)",
        "received_at": clocks[0] if "received_at" in plain else f"coalesce({', '.join(clocks)})",
        "ingested_at": f"timestamp '{now}'",
        "import_id": literal(import_id),
    }
    read = ", ".join(f"cast({columns[name]} as {type_}) as {name}" for name, type_ in _COLUMNS.items())
    number = f"cast({first} + {_NUMBER} as ubigint) as row_key"
    return f"select {read}, {number} from {_reader(path)}"


def _reader(path: Path) -> str:
    return f"read_parquet({place_of(path)}, hive_partitioning = false)"
