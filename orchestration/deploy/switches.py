"""The kill switch: stops a program or all of them, brings one back to its baseline, and lets it run again.

A switch must work while something else writes to the warehouse, so it is a line in a journal beside it, appended and synced in one
call. ``ledger.switches`` is its copy for the record, in the order of the journal, and what holds if the journal is lost or an older
one is put back: senders read both, the journal before every call. A journal that cannot be read stops everything.

A program is stopped if the last switch of its own or the last one of all programs says so: ``loop resume PROGRAM`` does not overrule
``loop stop --all``.
"""

import datetime as dt
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

import duckdb

from orchestration.edges.warehouse import Warehouse, transaction

State = Literal["running", "baseline", "stopped"]
EVERYTHING = "*"
JOURNAL = "switches.ndjson"
_SEVERITY: dict[State, int] = {"running": 0, "baseline": 1, "stopped": 2}


@dataclass(frozen=True, slots=True)
class Switch:
    """One change of a switch.

    Attributes:
        scope: A program's name, or ``*``.
        state: ``baseline`` sends nothing but the program's own text; ``stopped`` sends nothing.
        recorded_at: ISO time, UTC.
    """

    scope: str
    state: State
    actor: str
    reason: str
    recorded_at: str

    @property
    def switch_id(self) -> str:
        """Digest of the whole line: the same line is one switch, wherever it is kept."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def throw(folder: Path, scope: str, state: State, actor: str, reason: str, now: dt.datetime) -> Switch:
    """Appends a switch to the journal of a warehouse folder; it holds as soon as this returns."""
    switch = Switch(scope, state, actor, reason, now.isoformat())
    folder.mkdir(parents=True, exist_ok=True)
    line = f"\n{json.dumps(asdict(switch))}\n".encode()  # the first line end closes a line that was cut off
    descriptor = os.open(folder / JOURNAL, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, line)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return switch


def journal(folder: Path) -> list[Switch]:
    """Every switch of the journal, oldest first; a line that cannot be read counts as a stop of everything."""
    try:
        lines = (folder / JOURNAL).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    switches: list[Switch] = []
    for line in filter(None, lines):
        before = switches[-1].recorded_at if switches else "1970-01-01T00:00:00"
        switches.append(_parsed(line, before))
    return switches


def state_in(folder: Path, program: str) -> State:
    """State of a program by the journal alone, for code that can open no warehouse."""
    return _state(journal(folder), program)


def state_of(connection: duckdb.DuckDBPyConnection, program: str) -> State:
    """State of a program by the ledger and by the journal beside the database."""
    return _state(known_switches(connection), program)


def state_by_both(warehouse: Warehouse, program: str) -> State:
    """The same for code that holds no connection; by the journal alone where there is no warehouse yet."""
    if not warehouse.path.exists():
        return state_in(warehouse.folder, program)
    with warehouse.connect() as connection:
        return state_of(connection, program)


def known_switches(connection: duckdb.DuckDBPyConnection) -> list[Switch]:
    """Every switch, oldest first: those of the ledger in the order of their copying, then what only the journal has yet.

    By order and not by time, because a clock may have been set back.
    """
    folder = _folder(connection)
    return _with(recorded_switches(connection), journal(folder) if folder else [])


def recorded_switches(connection: duckdb.DuckDBPyConnection) -> list[Switch]:
    """The switches of the ledger in the order of their copying."""
    rows = connection.execute(
        "select scope, state, actor, reason, recorded_at from ledger.switches order by rowid"
    ).fetchall()
    return [Switch(scope, state, actor, reason, at.isoformat()) for scope, state, actor, reason, at in rows]


class Switchboard:
    """The switches for a process that asks often and for long; what it once saw holds although the journal is lost meanwhile.

    Args:
        recorded: Those of the ledger.
    """

    def __init__(self, folder: Path, recorded: Sequence[Switch]) -> None:
        self._folder, self._seen = folder, list(recorded)

    def state_of(self, program: str) -> State:
        """State of a program now."""
        self._seen = _with(self._seen, journal(self._folder))
        return _state(self._seen, program)


def is_stopped(connection: duckdb.DuckDBPyConnection, program: str) -> bool:
    """Whether a program may send nothing now. Senders ask before every batch."""
    return state_of(connection, program) == "stopped"


def record_switches(warehouse: Warehouse) -> int:
    """Copies what is new in the journal to ``ledger.switches``; returns the number of switches copied."""
    with warehouse.connect() as connection, transaction(connection):
        known = {row[0] for row in connection.execute("select switch_id from ledger.switches").fetchall()}
        fresh = {switch.switch_id: switch for switch in journal(warehouse.folder) if switch.switch_id not in known}
        for switch_id, switch in fresh.items():
            connection.execute(
                "insert into ledger.switches values (?, ?, ?, ?, ?, ?)", [switch_id, *asdict(switch).values()]
            )
    return len(fresh)


def _with(recorded: Sequence[Switch], told: Iterable[Switch]) -> list[Switch]:
    known = {switch.switch_id for switch in recorded}
    return [*recorded, *(switch for switch in told if switch.switch_id not in known)]


def _state(switches: Iterable[Switch], program: str) -> State:
    last: dict[str, State] = {switch.scope: switch.state for switch in switches}
    return max((last.get(scope, "running") for scope in (program, EVERYTHING)), key=lambda state: _SEVERITY[state])


def _parsed(line: bytes, before: str) -> Switch:
    try:
        switch = Switch(**json.loads(line))
        if switch.state in get_args(State) and switch.scope:
            return switch
    except (ValueError, TypeError):
        pass
    return Switch(EVERYTHING, "stopped", "journal", "a line of the journal of switches cannot be read", before)


def _folder(connection: duckdb.DuckDBPyConnection) -> Path | None:
    """The folder of the database that the connection has open; None in memory."""
    row = connection.execute("select path from duckdb_databases() where database_name = current_database()").fetchone()
    return Path(row[0]).parent if row and row[0] else None
