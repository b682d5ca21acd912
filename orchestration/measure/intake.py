"""How one file gets into ``raw``: read, judged row by row in SQL, and stored whole or not at all."""

import datetime as dt
from pathlib import Path

import duckdb

from orchestration.edges.clock import Clock
from orchestration.edges.warehouse import Warehouse, transaction
from orchestration.errors import Refusal
from orchestration.measure import channel_reports, events, rates, results, units
from orchestration.measure.filedrop import holds_documents, take_documents
from orchestration.measure.mapping import (
    ChannelDailyMapping,
    EventsMapping,
    Mapping,
    RatesMapping,
    ResultsMapping,
    UnitsMapping,
)
from orchestration.measure.packing import unpacked
from orchestration.measure.pseudonyms import hold_key, pseudonym, pseudonym_key
from orchestration.measure.reading import Opened, identifier, literal, load, open_file, unreadable
from orchestration.measure.report import (
    Early,
    ImportReport,
    Progress,
    content_of,
    earlier,
    import_id_of,
    is_withdrawn,
    record,
    require_rows,
)
from orchestration.measure.targets import Targets, as_text

__all__ = ["Early", "ImportReport", "Progress", "take"]


def take(
    warehouse: Warehouse,
    path: Path,
    mapping: Mapping,
    clock: Clock,
    progress: Progress | None,
    *,
    identity: str,
    may_be_empty: bool,
    until: dt.datetime | None = None,
) -> ImportReport:
    """Takes a file into ``raw``; a refusal or a kill half-way leaves nothing.

    Args:
        mapping: Which columns go where.
        clock: Time of the import, and what counts as the future.
        progress: Told in one line what is being done.
        identity: What tells two files of the same bytes apart.
        may_be_empty: A file without an accepted row is no refusal.
        until: Refuse, for now, a file that holds rows received at or after this instant.

    Raises:
        Refusal: if the file is missing, unreadable or empty, the mapping names absent columns, or no row is accepted.
        WarehouseLocked: if another process writes to the warehouse.
        Early: if the file holds rows of ``until`` or after.
    """
    tell = progress or (lambda line: None)
    with unpacked(path, warehouse.folder) as plain:
        if holds_documents(plain, mapping):
            return take_documents(
                warehouse, plain, mapping, clock.now(), tell, identity=identity, may_be_empty=may_be_empty, until=until
            )
        return _take_table(
            warehouse, plain, mapping, clock.now(), tell, identity=identity, may_be_empty=may_be_empty, until=until
        )


def _take_table(
    warehouse: Warehouse,
    path: Path,
    mapping: Mapping,
    now: dt.datetime,
    tell: Progress,
    *,
    identity: str,
    may_be_empty: bool,
    until: dt.datetime | None,
) -> ImportReport:
    content = _digest(path)
    import_id = import_id_of(content, mapping, identity)
    warehouse.migrate()
    with warehouse.connect() as connection:
        known = earlier(connection, import_id, mapping.kind)
        # What a platform said once it may say again after it has said something else; what was taken back may come again.
        may_come_again = isinstance(mapping, ChannelDailyMapping) or is_withdrawn(connection, import_id)
        if known and not may_come_again:
            tell(f"{path.name}: taken in before, nothing to do")
            return known
        with transaction(connection):
            _read(connection, path, mapping, warehouse.folder, now=now, tell=tell)
            if until is not None:
                _refuse_early(connection, until)
            if known:
                if isinstance(mapping, ChannelDailyMapping) and not channel_reports.restates(connection):
                    return known
                import_id = import_id_of(content, mapping, f"{identity} again at {now.isoformat()}")
            report = _store(connection, path, mapping, import_id, now, may_be_empty=may_be_empty)
    tell(f"{path.name}: {report.rows_accepted:,} rows accepted, {report.rows_quarantined:,} quarantined")
    return report


def _digest(path: Path) -> str:
    try:
        content = content_of(path)
    except OSError as error:
        raise Refusal(str(path), f"cannot be read ({error.strerror})", "Check the path and its permissions.") from error
    if path.stat().st_size == 0:
        raise Refusal(path.name, "is empty", "Give a file with rows.")
    return content


def _read(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    mapping: Mapping,
    folder: Path,
    *,
    now: dt.datetime,
    tell: Progress,
) -> None:
    tell(f"{path.name}: reading")
    opened = open_file(connection, path)
    named = Targets(mapping, opened.columns, path.name)
    hidden = named.columns_of(*mapping.people) if mapping.pseudonymise else []
    if hidden or mapping.kind == "events":
        hold_key(connection, pseudonym_key(folder))
    replaced = {name: pseudonym(as_text(identifier(name), opened.columns[name])) for name in hidden}
    try:
        load(connection, opened, replaced, hide_lines=bool(hidden))
    except (duckdb.Error, UnicodeDecodeError) as error:
        raise unreadable(path, error) from error
    tell(f"{path.name}: checking {_count(connection, 'source_rows'):,} rows")
    targets = Targets(mapping, opened.columns | dict.fromkeys(hidden, "VARCHAR"), path.name)
    match mapping:
        case ResultsMapping():
            results.stage(connection, mapping, targets, now)
        case UnitsMapping():
            units.stage(connection, mapping, targets, now)
        case EventsMapping():
            events.stage(connection, mapping, targets, now)
        case RatesMapping():
            rates.stage(connection, mapping, targets, path.name)
        case ChannelDailyMapping():
            channel_reports.stage(connection, mapping, targets, now)
    _set_aside(connection, opened)


def _set_aside(connection: duckdb.DuckDBPyConnection, opened: Opened) -> None:
    """Fills ``set_aside`` with what will be quarantined; floats that JSON cannot say are told as text."""
    fields = []
    for name, type_ in opened.columns.items():
        value = f"source_rows.{identifier(name)}"
        told = f"case when isfinite({value}) then to_json({value}) else to_json(cast({value} as varchar)) end"
        fields.append(f"{literal(name)}, {told if type_ in {'FLOAT', 'DOUBLE'} else value}")
    connection.execute(
        f"""create or replace temp table set_aside as
        select checked.__row, checked.reason, json_object({", ".join(fields)}) as payload
        from checked join source_rows using (__row)
        where checked.reason is not null
        union all by name
        select __row, reason, payload from unreadable"""
    )


def _refuse_early(connection: duckdb.DuckDBPyConnection, until: dt.datetime) -> None:
    query = "select count(*) from checked where reason is null and received_at >= ?"
    if connection.execute(query, [until]).fetchall()[0][0]:
        raise Early


def _store(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    mapping: Mapping,
    import_id: str,
    now: dt.datetime,
    *,
    may_be_empty: bool,
) -> ImportReport:
    quarantined = _count(connection, "set_aside")
    read = _count(connection, "source_rows") + _count(connection, "unreadable")
    if not may_be_empty:
        first = "select __row, reason from set_aside order by __row limit 1"
        require_rows(path.name, read, quarantined, lambda: connection.execute(first).fetchall()[0])
    stamps = {"import_id": import_id, "now": now}
    connection.execute(
        """insert into raw.quarantine
        select $import_id, __row, reason, payload, $now from set_aside order by __row""",
        stamps,
    )
    accepted = read - quarantined
    match mapping:
        case ResultsMapping():
            accepted -= results.append(connection, mapping, path.name, import_id, now)
        case UnitsMapping():
            accepted -= units.append(connection, mapping, path.name, import_id, now)
        case EventsMapping():
            accepted = events.append(connection, mapping, import_id, now)
        case RatesMapping():
            accepted = rates.append(connection, now)
        case ChannelDailyMapping():
            accepted = channel_reports.append(connection, now)
    counts = {"read": read, "accepted": accepted, "quarantined": quarantined}
    return record(connection, import_id, mapping.kind, path.name, now, **counts)


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(connection.execute(f"select count(*) from {table}").fetchall()[0][0])
