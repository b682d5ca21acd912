"""The power check: the plan's own figures with the program's list and rate, kept before the launch, unknown where the rate is."""

import datetime as dt
from pathlib import Path

import pytest

from orchestration.edges.warehouse import Warehouse
from orchestration.generate.power import check_power
from orchestration.learn.planning import plan
from orchestration.programs.definition import FOLDER, read_program

PROGRAM = read_program(FOLDER / "subject_lines.yaml")
NOW = dt.datetime.fromisoformat("2026-01-05T05:00:00")


def warehouse_in(folder: Path, people: int, rate: float | None) -> Warehouse:
    warehouse = Warehouse(folder)
    warehouse.migrate()
    with warehouse.connect() as connection:
        connection.execute("create schema marts")
        connection.execute(
            f"""
            create table marts.program_audience as
            select '{PROGRAM.program}' as program, 'u' || range as user_id, 'new' as segment from range({people})
            """
        )
        connection.execute(
            "create table marts.loop_value (program varchar, against varchar, cycle bigint, other_mean double)"
        )
        if rate is not None:
            rows = [
                ("baseline", 202601, 0.5),
                ("baseline", 202602, rate),
                ("control", 202602, 0.9),
                ("baseline", 202609, 0.7),
            ]
            connection.executemany(
                "insert into marts.loop_value values ('subject_lines', ?, ?, ?)", [list(row) for row in rows]
            )
    return warehouse


def test_it_says_how_many_weeks_the_design_needs_and_keeps_it(tmp_path: Path) -> None:
    warehouse = warehouse_in(tmp_path, 24_000, 0.12)
    check = check_power(warehouse, PROGRAM, 202602, NOW)
    per_arm = int(24_000 * 0.95 * 0.3 / 4)
    planned = plan(effect=0.1, rate=0.12, people_per_arm=per_arm, experiments_per_week=3 * 4 / 8, tags=8)
    assert (check.people_per_arm, check.experiments, check.weeks) == (per_arm, planned.experiments, planned.weeks)
    assert f"this will need {planned.weeks:.0f} weeks" in check.message
    assert check_power(warehouse, PROGRAM, 202602, NOW + dt.timedelta(hours=1)) == check, "once a cycle"
    assert warehouse.rows("select count(*) as n from ledger.power_checks") == [{"n": 1}]


@pytest.mark.parametrize(
    ("people", "rate", "told"),
    [
        (24_000, None, "rate is not known before"),
        (0, 0.12, "nobody is in an arm"),
        (60, 0.001, "this list is too small"),
    ],
)
def test_what_it_cannot_say_is_null_with_a_reason(tmp_path: Path, people: int, rate: float | None, told: str) -> None:
    check = check_power(warehouse_in(tmp_path, people, rate), PROGRAM, 202602, NOW)
    assert (check.experiments, check.weeks) == (None, None)
    assert told in check.message
