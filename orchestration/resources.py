"""What assets are given: the warehouse, the clock, the programs and the model, configured once."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Self

import dagster as dg

from orchestration.edges.clock import Clock, FixedClock, SystemClock, start_of
from orchestration.edges.locks import turning
from orchestration.edges.warehouse import Warehouse
from orchestration.policy.rules import Rules
from orchestration.programs.definition import Program, read_programs


class WarehouseResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The warehouse folder."""

    folder: str

    def open(self) -> Warehouse:
        """The warehouse, migrated."""
        warehouse = Warehouse(Path(self.folder))
        warehouse.migrate()
        return warehouse


class TurnResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The right to turn the loop, held while a run has this resource; not taken where whoever began the run holds it already."""

    folder: str
    is_held: bool = False

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Self]:
        """Holds the right for the length of a run.

        Raises:
            WarehouseLocked: if another process turns the loop.
        """
        with nullcontext() if self.is_held else turning(Path(self.folder)):
            yield self


class ClockResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The time: the machine's, or a fixed one (ISO, UTC) for simulated worlds and replays."""

    fixed: str | None = None

    def clock(self) -> Clock:
        """The clock."""
        return FixedClock(dt.datetime.fromisoformat(self.fixed)) if self.fixed else SystemClock()


class ProgramsResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The configured programs, and the seed of their draws."""

    folder: str
    cadence: str
    seed: int

    def read(self) -> list[Program]:
        """Every program of this cadence."""
        return [program for program in read_programs(Path(self.folder)) if program.cadence == self.cadence]

    def everybody(self) -> list[Program]:
        """Every program, of all cadences."""
        return read_programs(Path(self.folder))

    def rules(self) -> Rules:
        """The rules of policy: those that ship, and those in the folder ``rules`` beside the programs."""
        return Rules.load(Path(self.folder) / "rules")

    def first_day(self, cycle: int) -> dt.date:
        """First day of a cycle."""
        return start_of(cycle, self.cadence)
