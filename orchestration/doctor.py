"""Examines an installation: what is configured, reachable, stale, locked or missing."""

import datetime as dt
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit
from urllib.request import getproxies

import duckdb

from orchestration.deploy.earlier import left_behind, left_earlier
from orchestration.deploy.outbox import NAME, Outbox
from orchestration.deploy.quiet import configured_zone
from orchestration.deploy.senders.configured import CHANNELS, goes_to_people, sender_of, variable_of
from orchestration.deploy.switches import EVERYTHING, JOURNAL, Switch, Switchboard, recorded_switches
from orchestration.edges import yaml_text
from orchestration.edges.addresses import VARIABLE as ADDRESSES
from orchestration.edges.clock import SystemClock, cycle_of
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import LoopError, Refusal, WarehouseLocked
from orchestration.generate.generators import STAND_IN
from orchestration.measure.drops import configured_drops, open_drop
from orchestration.measure.in_place import require_unchanged
from orchestration.policy.rules import Rules
from orchestration.policy.thresholds import whole_number
from orchestration.programs.definition import Program, read_programs
from orchestration.readiness import lacks_of, require_tags
from orchestration.serve.configuration import PUBLIC_URL, public_url
from orchestration.settings import Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing examined, and whether it is well."""

    subject: str
    found: str
    is_well: bool


def examine(settings: Settings) -> list[Finding]:
    """Examines programs, warehouse, published copy, dbt project, model, rules, switches, event tables, drop folders and channels."""
    return [
        _examined("programs", lambda: _programs(settings)),
        _examined("warehouse", lambda: _warehouse(settings)),
        _examined("published marts", lambda: _published(settings)),
        _examined("dbt manifest", _manifest),
        _examined("stored models", lambda: _stored(settings)),
        _examined("model", lambda: _model(settings)),
        _examined("rules", lambda: _rules(settings)),
        _examined("switches", lambda: _switches(settings)),
        *_in_place(settings),
        *_adapters(settings),
        *_drops(settings),
        *_channels(settings),
        *_left_behind(settings),
    ]


def _examined(subject: str, look: Callable[[], tuple[str, bool]]) -> Finding:
    try:
        found, is_well = look()
    except LoopError as error:
        found, is_well = str(error), False
    except OSError as error:
        found, is_well = f"{error.filename} -> {error.strerror}. Check the path and its permissions.", False
    return Finding(subject, found, is_well)


def _programs(settings: Settings) -> tuple[str, bool]:
    programs = read_programs(settings.programs)
    require_tags(programs)
    today = SystemClock().now().date()
    ahead = "".join(
        f"; {program.program} begins with the cycle of {program.first_cycle}, before it nothing is written"
        for program in programs
        if cycle_of(program.first_cycle, program.cadence) > cycle_of(today, program.cadence)
    )
    return f"{', '.join(program.program for program in programs)} ({settings.cadence}){ahead}", True


def _warehouse(settings: Settings) -> tuple[str, bool]:
    warehouse = Warehouse(settings.warehouse, patience_seconds=1)
    place = next(path for path in (settings.warehouse, *settings.warehouse.resolve().parents) if path.exists())
    if not place.is_dir() or not os.access(place, os.W_OK):
        raise Refusal(str(settings.warehouse), "is no folder that can be written", "Choose another with --warehouse.")
    if not warehouse.path.exists():
        return f"{warehouse.path} does not exist yet; `loop demo`, `loop import` or `loop run` makes it", True
    rows = warehouse.rows(
        "select count(*) as tables from information_schema.tables where table_schema in ('raw', 'ledger')"
    )
    return f"{warehouse.path}, {rows[0]['tables']} tables, not locked", True


def _published(settings: Settings) -> tuple[str, bool]:
    current = Warehouse(settings.warehouse).published / "current"
    return (f"{current}", True) if current.exists() else ("nothing is published yet; a build publishes", True)


def _manifest() -> tuple[str, bool]:
    from orchestration.edges.dbt import MANIFEST

    return ("parsed", True) if MANIFEST.exists() else ("missing -> Dagster cannot load. Run `loop manifest`.", False)


def _stored(settings: Settings) -> tuple[str, bool]:
    """What the next build makes anew is no fault, but it may take long, and whoever changed a threshold should know it before."""
    from orchestration.edges.dbt import DbtProject

    warehouse = Warehouse(settings.warehouse, patience_seconds=1)
    if not warehouse.path.exists():
        return "none yet; a build makes them", True
    owed = DbtProject(engine=settings.engine).foresee(warehouse)
    told = "; ".join(f"{name}: {reason}" for name, reason in owed.items())
    return (
        f"the next build makes {len(owed)} anew from all of raw ({told})" if owed else "none has to be made anew"
    ), True


def _in_place(settings: Settings) -> list[Finding]:
    """A finding where events are read in place: a file that was changed or is gone stops every build."""
    warehouse = Warehouse(settings.warehouse, patience_seconds=1)
    if not warehouse.path.exists():
        return []
    try:
        files = warehouse.rows("select count(*) as files from raw.event_files")[0]["files"]
    except (duckdb.CatalogException, LoopError):  # from before there were any, or locked, which is told elsewhere
        return []

    def unchanged() -> tuple[str, bool]:
        require_unchanged(warehouse)
        return f"{files:,} files, as they were checked", True

    return [_examined("events in place", unchanged)] if files else []


def _adapters(settings: Settings) -> list[Finding]:
    """A finding for each event table that is declared as an adapter: which of its rows are no events, and why."""
    from orchestration.edges.dbt import PROJECT

    if settings.engine != "duckdb":  # the account is on the other engine, which is not started for a look
        return []
    try:
        said = yaml_text.read(PROJECT / "dbt_project.yml").get("vars") or {}
    except LoopError:  # told elsewhere
        return []
    declared = said.get("event_adapters") or (said.get("loopwright") or {}).get("event_adapters") or []
    sources = dict.fromkeys(entry["source"] for entry in declared if isinstance(entry, dict) and "source" in entry)
    return [_examined(f"adapter {source}", partial(_adapter, settings, source)) for source in sources]


def _adapter(settings: Settings, source: str) -> tuple[str, bool]:
    warehouse = Warehouse(settings.warehouse, patience_seconds=1)
    query = "select * exclude (source) from staging.stg_adapters__account where source = ?"
    try:
        accounts = warehouse.rows(query, [source]) if warehouse.path.exists() else []
    except duckdb.CatalogException:
        accounts = []
    if not accounts:
        return "not read yet; a build reads it", True
    account = accounts[0]
    words = {"rows_read": "rows", "of_devices": "of them of devices alone", "not_final": "not final yet"}
    words |= {"adapted": "adapted", "of_nobody": "left out as nobody's"}
    told = [
        f"{rows:,} {words.get(name, f'left out {name}')}".replace("_", " ") for name, rows in account.items() if rows
    ]
    if account["adapted"] and account["adapted"] == account["of_devices"]:
        told.append("so there are no people (docs/intake.md: `people`)")
    return ", ".join(told) or "no rows", bool(account["adapted"] or account["rows_read"] == account["not_final"])


def _drops(settings: Settings) -> list[Finding]:
    """A finding for each drop folder besides the warehouse's own."""
    return [
        _examined("drop folder", partial(_drop, settings, place)) for place in configured_drops(settings.warehouse)[1:]
    ]


def _drop(settings: Settings, place: str) -> tuple[str, bool]:
    drop = open_drop(place, settings.warehouse)
    return f"{drop.place}, {len(drop.files()):,} files", True


def _channels(settings: Settings) -> list[Finding]:
    """A finding for each channel with a sender; one that says so where there is none."""
    named = [channel for channel in CHANNELS if os.environ.get(variable_of(channel))]
    if not named:
        return [Finding("channels", "no sender; messages are handed over as files", True)]
    return [_examined(f"channel {channel}", partial(_channel, settings, channel)) for channel in named]


def _channel(settings: Settings, channel: str) -> tuple[str, bool]:
    sender = sender_of(channel, SystemClock())
    if sender is None:
        return "no sender; messages are handed over as files", True
    sender.close()
    configured_zone()
    public_url()
    lacks = (
        [] if not goes_to_people(channel) else [name for name in (ADDRESSES, PUBLIC_URL) if not os.environ.get(name)]
    )
    if lacks:
        return f"{sender.name}, but {' and '.join(lacks)} not set; `loop send` needs it", False
    path = settings.warehouse / NAME
    doubts = 0
    if path.exists():
        box = Outbox(path)
        doubts = sum(doubt.message.channel == channel for doubt in box.in_doubt())
        box.close()
    found = f"{sender.name} is configured; `loop send` is a dry run unless --live"
    return (f"{found}; {doubts} messages in doubt -> `loop outbox list`", False) if doubts else (found, True)


def _left_behind(settings: Settings) -> list[Finding]:
    """A finding where messages waited in an outbox that was moved away."""
    warehouse = Warehouse(settings.warehouse, patience_seconds=1)
    if not warehouse.path.exists():
        return []
    path, outbox_id = settings.warehouse / NAME, ""
    try:
        if path.exists():
            box = Outbox(path)
            outbox_id = box.outbox_id
            box.close()
        with warehouse.connect() as connection:
            oldest = SystemClock().now() - dt.timedelta(hours=whole_number("send_expiry_hours"))
            messages = left_earlier(connection, outbox_id, oldest)
    except (duckdb.CatalogException, WarehouseLocked):  # from before there were any, or locked, which is told elsewhere
        return []
    except LoopError as error:
        return [Finding("outbox", str(error), False)]
    return [Finding("outbox", left_behind(messages), False)] if messages else []


def _model(settings: Settings) -> tuple[str, bool]:
    everybody = read_programs(settings.programs)
    programs = [program for program in everybody if program.model.generator == "openai"]
    offline = [program.program for program in everybody if program.model.generator == "offline"]
    found = [f"{', '.join(offline)}: the offline generator, {STAND_IN}; no key is needed"] if offline else []
    faults = {program.program: lacks_of(program) or _silence(program.model.base_url) for program in programs}
    found += [f"{program.program}: {faults[program.program] or _asked(program)}" for program in programs]
    return "; ".join(found), not any(faults.values())


def _asked(program: Program) -> str:
    place = program.model.base_url or "OpenAI's own address"
    return f"{program.model.name} at {place}, {'OPENAI_API_KEY is set' if os.environ.get('OPENAI_API_KEY') else 'without a key'}"


def _silence(base_url: str | None) -> str | None:
    """Why a server of one's own cannot be reached; None if it can, or where a proxy stands before it."""
    if base_url is None or getproxies():
        return None
    address = urlsplit(base_url)
    try:
        port = address.port or {"http": 80, "https": 443}[address.scheme]
        socket.create_connection((address.hostname or "", port), timeout=3).close()
    except (OSError, ValueError) as error:
        return f"{base_url} does not answer ({error}); until it does, the offline generator stands in"
    return None


def _rules(settings: Settings) -> tuple[str, bool]:
    rules = Rules.load(settings.programs / "rules")
    failed = [case for case in rules.test() if not case.is_passed]
    told = f"{len(rules.rules)} rules, version {rules.version[:12]}"
    return (f"{told}; examples of {failed[0].rule.name} fail" if failed else told), not failed


def _switches(settings: Settings) -> tuple[str, bool]:
    """A stopped program is no fault, but whoever wonders why nothing goes out should read it here; a lost journal is one."""
    names = [EVERYTHING, *(program.program for program in read_programs(settings.programs))]
    warehouse = Warehouse(settings.warehouse, patience_seconds=1)
    recorded: list[Switch] = []
    try:
        if warehouse.path.exists():
            with warehouse.connect() as connection:
                recorded = recorded_switches(connection)
    except (duckdb.CatalogException, WarehouseLocked):  # from before there were any, or locked, which is told elsewhere
        pass
    board = Switchboard(settings.warehouse, recorded)
    thrown = {name: state for name in names if (state := board.state_of(name)) != "running"}
    told = ", ".join(f"{name} is {state}" for name, state in thrown.items()) or "every program may run"
    if recorded and not (settings.warehouse / JOURNAL).exists():
        remedy = "put it back; `loop stop` or `loop resume` begins another"
        return f"{told}; {JOURNAL} is missing, its copy in the ledger holds -> {remedy}", False
    return told, True
