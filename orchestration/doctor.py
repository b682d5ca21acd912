"""Examines an installation: what is configured, reachable, stale, locked or missing."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from orchestration.edges.warehouse import Warehouse
from orchestration.errors import LoopError
from orchestration.programs.definition import read_programs
from orchestration.settings import Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing examined, and whether it is well."""

    subject: str
    found: str
    is_well: bool


def examine(settings: Settings) -> list[Finding]:
    """Examines programs, warehouse, published copy, dbt manifest and model key, in this order."""
    return [
        _examined("programs", lambda: _programs(settings)),
        _examined("warehouse", lambda: _warehouse(settings)),
        _examined("published marts", lambda: _published(settings)),
        _examined("dbt manifest", _manifest),
        _examined("model", lambda: _model(settings)),
    ]


def _examined(subject: str, look: Callable[[], tuple[str, bool]]) -> Finding:
    try:
        found, is_well = look()
    except LoopError as error:
        found, is_well = str(error), False
    return Finding(subject, found, is_well)


def _programs(settings: Settings) -> tuple[str, bool]:
    programs = read_programs(settings.programs)
    return f"{', '.join(program.program for program in programs)} ({settings.cadence})", True


def _warehouse(settings: Settings) -> tuple[str, bool]:
    warehouse = Warehouse(settings.warehouse, patience_seconds=1)
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


def _model(settings: Settings) -> tuple[str, bool]:
    asks = [program.program for program in read_programs(settings.programs) if program.model.generator == "openai"]
    if not asks:
        return "offline generator; no key is needed", True
    has_key = bool(os.environ.get("OPENAI_API_KEY"))
    return (
        f"{', '.join(asks)} ask{'s' if len(asks) == 1 else ''} for a model; OPENAI_API_KEY is {'set' if has_key else 'not set'}",
        has_key,
    )
