"""The canary ramp: a new program reaches few of its people first, and more only once its guardrails are known to be healthy."""

import datetime as dt

import duckdb

from orchestration.deploy.guarding import Guard
from orchestration.programs.definition import Program


def ramp_share(
    connection: duckdb.DuckDBPyConnection, program: Program, cycle: int, guard: Guard, now: dt.datetime
) -> float:
    """The share of its people a program may reach in a cycle; decided once a cycle and written to ``ledger.ramps``.

    It rises by one level where the guardrails of the level before are healthy, and stays where some arm harms or harm is not ruled out.
    """
    levels = sorted({*program.experiments.ramp, 1.0})
    row = connection.execute(
        "select cycle, share from ledger.ramps where program = ? order by cycle desc limit 1", [program.program]
    ).fetchone()
    if row is None and levels == [1.0]:
        return 1.0
    if row is not None and row[0] >= cycle:
        return float(row[1])
    if row is None:
        share, reason = levels[0], "the first level"
    elif row[1] >= 1:
        return 1.0
    elif guard.status == "healthy":
        share, reason = next(level for level in levels if level > row[1]), guard.reason
    else:
        share, reason = float(row[1]), f"stays: {guard.reason}"
    connection.execute("insert into ledger.ramps values (?, ?, ?, ?, ?)", [program.program, cycle, share, reason, now])
    return share
