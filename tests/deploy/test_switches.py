"""Switches: what holds, when the warehouse is held by somebody else, when the journal is lost or damaged."""

import datetime as dt
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.deploy.switches import (
    EVERYTHING,
    JOURNAL,
    Switchboard,
    is_stopped,
    journal,
    record_switches,
    state_in,
    state_of,
    throw,
)
from orchestration.edges.warehouse import Warehouse

NOW = dt.datetime.fromisoformat("2026-02-02T10:00:00")
SEVERITY = ["running", "baseline", "stopped"]


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    made = Warehouse(tmp_path)
    made.migrate()
    return made


def stopped(warehouse: Warehouse, program: str) -> bool:
    with warehouse.connect() as connection:
        return is_stopped(connection, program)


def test_a_program_runs_until_it_is_stopped_and_after_it_is_resumed(warehouse: Warehouse) -> None:
    assert not stopped(warehouse, "news")
    throw(warehouse.folder, "news", "stopped", "anna", "complaints", NOW)
    assert stopped(warehouse, "news")
    assert not stopped(warehouse, "winback")
    throw(warehouse.folder, "news", "running", "anna", "mended", NOW)
    assert not stopped(warehouse, "news")


def test_resuming_one_does_not_overrule_a_stop_of_all(warehouse: Warehouse) -> None:
    throw(warehouse.folder, EVERYTHING, "stopped", "anna", "fire", NOW)
    throw(warehouse.folder, "news", "running", "ben", "mine is fine", NOW)
    assert stopped(warehouse, "news")
    throw(warehouse.folder, EVERYTHING, "running", "anna", "out", NOW)
    assert not stopped(warehouse, "news")


def test_a_switch_is_thrown_while_another_process_writes(warehouse: Warehouse) -> None:
    hold = f"import duckdb; held = duckdb.connect({str(warehouse.path)!r}); print('held', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        throw(warehouse.folder, "news", "stopped", "anna", "now", NOW)
        assert state_in(warehouse.folder, "news") == "stopped"
        holder.kill()


def test_the_ledger_keeps_every_switch_once_and_stands_in_for_a_lost_journal(warehouse: Warehouse) -> None:
    throw(warehouse.folder, "news", "baseline", "anna", "odd numbers", NOW)
    throw(warehouse.folder, "news", "stopped", "anna", "worse", NOW)
    assert (record_switches(warehouse), record_switches(warehouse)) == (2, 0)
    (warehouse.folder / JOURNAL).unlink()
    assert stopped(warehouse, "news")
    throw(
        warehouse.folder, "news", "running", "anna", "mended", NOW - dt.timedelta(days=1)
    )  # a clock that was set back
    assert not stopped(warehouse, "news")


def test_an_older_journal_that_is_put_back_lifts_no_stop(warehouse: Warehouse) -> None:
    throw(warehouse.folder, "news", "running", "anna", "first", NOW)
    older = (warehouse.folder / JOURNAL).read_bytes()
    throw(warehouse.folder, "news", "stopped", "anna", "complaints", NOW)
    record_switches(warehouse)
    (warehouse.folder / JOURNAL).write_bytes(older)
    assert stopped(warehouse, "news")
    throw(warehouse.folder, "news", "running", "anna", "mended", NOW)
    assert not stopped(warehouse, "news")
    record_switches(warehouse)
    assert not stopped(warehouse, "news")


def test_who_saw_a_stop_is_stopped_although_the_journal_is_lost_meanwhile(tmp_path: Path) -> None:
    board = Switchboard(tmp_path, [])
    throw(tmp_path, "news", "stopped", "anna", "complaints", NOW)
    assert board.state_of("news") == "stopped"
    (tmp_path / JOURNAL).unlink()
    assert board.state_of("news") == "stopped"


@pytest.mark.parametrize("damage", [b'{"scope": "ne', b"\xff\xfe\n", b'{"scope": "news", "state": "off"}\n', b"[]\n"])
def test_what_cannot_be_read_stops_everything_until_somebody_resumes(warehouse: Warehouse, damage: bytes) -> None:
    throw(warehouse.folder, EVERYTHING, "running", "anna", "all well", NOW)
    with (warehouse.folder / JOURNAL).open("ab") as stream:
        stream.write(damage)
    assert stopped(warehouse, "news")
    record_switches(warehouse)
    throw(warehouse.folder, EVERYTHING, "running", "anna", "looked at it", NOW)
    assert not stopped(warehouse, "news")


@settings(max_examples=25)
@given(st.lists(st.tuples(st.sampled_from(["news", "winback", EVERYTHING]), st.sampled_from(SEVERITY)), max_size=12))
def test_the_stricter_of_the_two_last_switches_holds(thrown: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for scope, state in thrown:
            throw(folder, scope, state, "anna", "", NOW)  # type: ignore[arg-type]  # drawn from the states
        own = [SEVERITY.index(state) for scope, state in thrown if scope == "news"][-1:]
        everybody = [SEVERITY.index(state) for scope, state in thrown if scope == EVERYTHING][-1:]
        assert state_in(folder, "news") == SEVERITY[max([0, *own, *everybody])]
        assert len(journal(folder)) == len(thrown)


def test_a_connection_in_another_folder_sees_its_own_journal(warehouse: Warehouse, tmp_path: Path) -> None:
    other = Warehouse(tmp_path / "other")
    other.migrate()
    throw(other.folder, "news", "stopped", "anna", "", NOW)
    with warehouse.connect() as connection:
        assert state_of(connection, "news") == "running"
