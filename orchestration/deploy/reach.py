"""Whom a program's sends may reach in a cycle. Every bound is a hash of its own, so all of them are independent.

* The holdout of everybody gets nothing from any program, beside the program's own holdout; both are the same people in every send.
* Programs of one exclusion group share its people out anew every ISO week: a person is at most one program's. The week is that in
  which a send starts: one that is late may start in the next. The shares are written down by the first program that launches a
  send of the week; one that joins later waits for the next week.
* The ramp lets a new program reach some of its people first, always the same ones, then more (``ramp.py``).
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

import duckdb

from orchestration.edges.clock import cycle_of
from orchestration.edges.warehouse import transaction
from orchestration.programs.definition import Program

EVERYBODY_HOLDOUT = "*/holdout"  # no program can be called *


@dataclass(frozen=True, slots=True)
class Reach:
    """Bounds of a program in a cycle, or of one of its sends; without arguments there are none.

    Attributes:
        everybody_holdout: Share of all people who get nothing from any program.
        ramp_share: Share of the program's people that its sends may reach.
        layer: Salt of the exclusion group's week, or None where the program is in no group or no send is meant yet.
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


def reach_of(connection: duckdb.DuckDBPyConnection, ramp_share: float) -> Reach:
    """The bounds of a program in a cycle."""
    row = connection.execute("select value from policy.policy where name = 'global_holdout_share'").fetchone()
    return Reach(float(row[0]) if row else 0.0, ramp_share)


def in_its_week(
    connection: duckdb.DuckDBPyConnection,
    reach: Reach,
    program: Program,
    programs: Sequence[Program],
    starts_at: dt.datetime,
    now: dt.datetime,
) -> Reach:
    """The bounds of a send: those of its program, and its part of the week in which it starts, which it writes down if nobody has.

    Its later batches lie in the same week, for they go out only while the cycle lasts.

    Args:
        programs: Every configured program, of all cadences.
    """
    group = program.experiments.exclusion_group
    if group is None:
        return reach
    week = cycle_of(starts_at.date(), "weekly")
    members = sorted({program.program} | {one.program for one in programs if one.experiments.exclusion_group == group})
    low, high = _layers(connection, group, week, members, now).get(program.program, (0.0, 0.0))
    return replace(reach, layer=f"{group}/layer/{week}", low=low, high=high)


def _layers(
    connection: duckdb.DuckDBPyConnection, group: str, week: int, members: Sequence[str], now: dt.datetime
) -> dict[str, tuple[float, float]]:
    read = "select program, low, high from ledger.layers where exclusion_group = ? and week = ?"
    written = connection.execute(read, [group, week]).fetchall()
    if not written:
        count = len(members)
        written = [(name, at / count, (at + 1) / count) for at, name in enumerate(members)]
        with transaction(connection):
            connection.executemany(
                "insert into ledger.layers values (?, ?, ?, ?, ?, ?)", [[group, week, *row, now] for row in written]
            )
    return {name: (low, high) for name, low, high in written}
