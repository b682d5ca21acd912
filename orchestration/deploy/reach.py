"""Whom a program's sends may reach in a cycle. Every bound is a hash of its own, so all of them are independent.

* The holdout of everybody gets nothing from any program, beside the program's own holdout; both are the same people in every send.
* Programs of one exclusion group share its people out anew every ISO week: a person is at most one program's. The shares are
  written down by the first of them that launches in the week; a program that joins later waits for the next week.
* The ramp lets a new program reach some of its people first, always the same ones, then more (``ramp.py``).
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from orchestration.edges.clock import cycle_of
from orchestration.programs.definition import Program

EVERYBODY_HOLDOUT = "*/holdout"  # no program can be called *


@dataclass(frozen=True, slots=True)
class Reach:
    """Bounds of a program in a cycle; without arguments there are none.

    Attributes:
        everybody_holdout: Share of all people who get nothing from any program.
        ramp_share: Share of the program's people that its sends may reach.
        layer: Salt of the exclusion group's week, or None where the program is in no group.
        low, high: The program's part of the group's unit interval.
    """

    everybody_holdout: float = 0.0
    ramp_share: float = 1.0
    layer: str | None = None
    low: float = 0.0
    high: float = 1.0

    def holdout(self, program: Program) -> float:
        """Probability of getting nothing: of either holdout."""
        return 1 - (1 - self.everybody_holdout) * (1 - program.experiments.holdout_share)


def reach_of(
    connection: duckdb.DuckDBPyConnection,
    program: Program,
    programs: Sequence[Program],
    first_day: dt.date,
    ramp_share: float,
    now: dt.datetime,
) -> Reach:
    """The bounds of a program in a cycle; writes down the layers of its exclusion group if nobody has.

    Args:
        programs: Every configured program, of all cadences.
        first_day: First day of the cycle.
    """
    row = connection.execute("select value from policy.policy where name = 'global_holdout_share'").fetchone()
    held = float(row[0]) if row else 0.0
    group = program.experiments.exclusion_group
    if group is None:
        return Reach(held, ramp_share)
    week = cycle_of(first_day, "weekly")
    members = sorted({program.program} | {one.program for one in programs if one.experiments.exclusion_group == group})
    low, high = _layers(connection, group, week, members, now).get(program.program, (0.0, 0.0))
    return Reach(held, ramp_share, f"{group}/layer/{week}", low, high)


def _layers(
    connection: duckdb.DuckDBPyConnection, group: str, week: int, members: Sequence[str], now: dt.datetime
) -> dict[str, tuple[float, float]]:
    read = "select program, low, high from ledger.layers where exclusion_group = ? and week = ?"
    written = connection.execute(read, [group, week]).fetchall()
    if not written:
        count = len(members)
        written = [(name, at / count, (at + 1) / count) for at, name in enumerate(members)]
        connection.executemany(
            "insert into ledger.layers values (?, ?, ?, ?, ?, ?)", [[group, week, *row, now] for row in written]
        )
    return {name: (low, high) for name, low, high in written}
