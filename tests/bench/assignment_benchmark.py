"""Assigning a million people and writing their send list, against a bare query of the same hashes; and three deals that must agree.

    python -m tests.bench.assignment_benchmark [--people 1000000] [--rounds 3] [--json]

Bare: one DuckDB query that computes every hash that the deal computes (the holdout's, the arm's, the send's id) and keeps them in a
table. Ours: ``deal``, with the ledger's rows on disk. Both in a database file, on the same number of threads, best of some rounds.
The agreement: SQL against ``assignment.py`` and against whole-number arithmetic that shares no code with either.
"""

import argparse
import datetime as dt
import hashlib
import json
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import duckdb
from scipy import stats

from orchestration.deploy.assignment import UNIT_NUMBER_SQL, Arm, arm_of, is_held_out
from orchestration.deploy.dealing import deal
from orchestration.deploy.reach import Reach
from orchestration.edges.warehouse import Warehouse, transaction
from orchestration.programs.definition import FOLDER, Program, read_program

SEGMENTS = ("new", "regular", "lapsing")
SHARES = {
    "baseline": 0.15,
    "exploit": 0.4,
    "first": 0.075,
    "second": 0.075,
    "third": 0.075,
    "fourth": 0.075,
    "control": 0.15,
}
SALT, EXPERIMENT = "subject_lines/202602/1", "subject_lines-202602-1"
NOW = dt.datetime.fromisoformat("2026-01-05T10:00:00")


def arms_of(segment: str) -> list[Arm]:
    """The arms of a shipped send."""
    return [Arm(f"{segment}-{name}", "explore", share) for name, share in SHARES.items()]


def audience(connection: duckdb.DuckDBPyConnection, people: int) -> None:
    """A list of people in three segments."""
    connection.execute("create schema if not exists marts")
    connection.execute(
        f"""
        create or replace table marts.program_audience as
        select 'subject_lines' as program, sha256('person ' || range)[1:32] as user_id, {list(SEGMENTS)}[range % 3 + 1] as segment
        from range({people})
        """
    )


def timed(connection: duckdb.DuckDBPyConnection, program: Program) -> tuple[float, float]:
    """Seconds of the bare query, and of the deal."""
    connection.execute("checkpoint")
    started = time.perf_counter()
    with transaction(connection):
        connection.execute(
            f"""
            create or replace table main.bare as
            select user_id, {UNIT_NUMBER_SQL.format(salt="$holdout")} as holdout, {UNIT_NUMBER_SQL.format(salt="$salt")} as number,
                sha256($experiment || '/' || user_id) as send_id
            from marts.program_audience
            """,
            {"holdout": "subject_lines/holdout", "salt": SALT, "experiment": EXPERIMENT},
        )
    bare = time.perf_counter() - started
    connection.execute("drop table main.bare")
    connection.execute("delete from ledger.assignments")
    connection.execute("delete from ledger.sends")
    connection.execute("checkpoint")
    arms = {segment: arms_of(segment) for segment in SEGMENTS}
    started = time.perf_counter()
    with transaction(connection):
        deal(connection, program, EXPERIMENT, SALT, 1, arms, Reach(), NOW, NOW)
    return bare, time.perf_counter() - started


def reference(user_id: str, segment: str, holdout: Fraction) -> str:
    """The creative of a person in whole numbers: the first 13 hexadecimal digits of a hash against cumulated shares of 2^52."""

    def digits(salt: str) -> int:
        return int.from_bytes(hashlib.sha256(b"/".join([salt.encode(), user_id.encode()])).digest()[:7], "big") >> 4

    if digits("subject_lines/holdout") < holdout * 2**52:
        return "holdout"
    left = Fraction(digits(SALT), 2**52)
    for name, share in SHARES.items():
        left -= Fraction(share)
        if left < 0:
            return f"{segment}-{name}"
    return f"{segment}-control"


def disagreements(connection: duckdb.DuckDBPyConnection, program: Program) -> tuple[int, int]:
    """People whom Python, and the reference, would deal otherwise than SQL did."""
    share = program.experiments.holdout_share
    arms = {segment: arms_of(segment) for segment in SEGMENTS}
    rows = connection.execute("select user_id, segment, creative_id from ledger.assignments").fetchall()
    in_python = sum(
        got
        != ("holdout" if is_held_out(program.program, user, share) else arm_of(SALT, user, arms[segment]).creative_id)
        for user, segment, got in rows
    )
    exact = Fraction(share)
    return in_python, sum(got != reference(user, segment, exact) for user, segment, got in rows)


def chi_square(connection: duckdb.DuckDBPyConnection) -> float:
    """p-value of the shares, by segment."""
    program = read_program(FOLDER / "subject_lines.yaml")
    held = program.experiments.holdout_share
    statistic, freedom = 0.0, 0
    for segment in SEGMENTS:
        counts = dict(
            connection.execute(
                "select creative_id, count(*) from ledger.assignments where segment = ? group by all", [segment]
            ).fetchall()
        )
        people = sum(counts.values())
        planned = {"holdout": held} | {f"{segment}-{name}": share * (1 - held) for name, share in SHARES.items()}
        statistic += sum(
            (counts.get(arm, 0) - share * people) ** 2 / (share * people) for arm, share in planned.items()
        )
        freedom += len(planned) - 1
    return float(stats.chi2.sf(statistic, freedom))


def main() -> None:
    """Prints the times, their ratio, and who disagrees."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    program = read_program(FOLDER / "subject_lines.yaml")
    with tempfile.TemporaryDirectory() as folder:
        warehouse = Warehouse(Path(folder))
        warehouse.migrate()
        with warehouse.connect() as connection:
            connection.execute(f"set threads = {asked.threads}")
            audience(connection, asked.people)
            rounds = [timed(connection, program) for _ in range(asked.rounds)]
            bare, ours = (min(times) for times in zip(*rounds, strict=True))
            in_python, in_reference = disagreements(connection, program)
            found = {
                "people": asked.people,
                "bare_seconds": round(bare, 3),
                "deal_seconds": round(ours, 3),
                "ratio": round(ours / bare, 2),
                "python_disagrees": in_python,
                "reference_disagrees": in_reference,
                "shares_p": round(chi_square(connection), 4),
            }
    print(json.dumps(found) if asked.json else "\n".join(f"{name:20} {value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
