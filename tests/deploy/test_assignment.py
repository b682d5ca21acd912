"""Assignment: SQL and Python agree on everybody, shares come out as planned, experiments and programs are independent."""

import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import orchestration
from orchestration.deploy.assignment import UNIT_NUMBER_SQL, Arm, arm_of, bounds, is_held_out, unit_number
from orchestration.edges.warehouse import Warehouse
from orchestration.programs.definition import FOLDER, read_program
from tests.bench.assignment_benchmark import audience, chi_square, disagreements, timed

PEOPLE = 200_000
PACKAGE = Path(orchestration.__file__).parent


def numbers(salt: str, people: int = PEOPLE) -> np.ndarray:
    """Unit numbers of u0, u1, ... as SQL computes them."""
    with duckdb.connect() as connection:
        query = f"""
            with people as (select range as number, 'u' || range as user_id from range({people}))
            select {UNIT_NUMBER_SQL.format(salt="$salt")} as unit_number from people order by number
        """
        return connection.execute(query, {"salt": salt}).fetchnumpy()["unit_number"]


def test_the_reference_vector() -> None:
    assert unit_number("subject_lines/202602/1", "u1") == 0.663405186019806
    assert numbers("subject_lines/202602/1", 2)[1] == 0.663405186019806


VECTOR = json.loads((PACKAGE / "deploy" / "assignment_vector.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("row", VECTOR["people"], ids=lambda row: f"{row['salt']}:{row['user_id']}")
def test_the_reference_vector_holds_in_python_and_in_sql(row: dict[str, Any]) -> None:
    arms = [Arm(name, "explore", share) for name, share in VECTOR["arms"]]
    with duckdb.connect() as connection:
        query = f"select {UNIT_NUMBER_SQL.format(salt='$salt')} from (select $user_id as user_id)"
        (in_sql,) = connection.execute(query, {"salt": row["salt"], "user_id": row["user_id"]}).fetchall()[0]
    assert unit_number(row["salt"], row["user_id"]) == in_sql == row["number"] == int(row["digits"], 16) / 2**52
    assert arm_of(row["salt"], row["user_id"], arms).creative_id == row["arm"]


def test_sql_and_python_agree_on_everybody() -> None:
    in_sql = numbers("subject_lines/202602/1", 20_000)
    assert all(in_sql[number] == unit_number("subject_lines/202602/1", f"u{number}") for number in range(20_000))


def test_shares_come_out_as_planned() -> None:
    shares = [0.15, 0.4, 0.075, 0.075, 0.15, 0.15]
    counts, _ = np.histogram(numbers("subject_lines/202602/1"), bins=np.concatenate([[0], np.cumsum(shares)]))
    assert stats.chisquare(counts, np.array(shares) * PEOPLE).pvalue > 1e-4


@pytest.mark.parametrize("other", ["subject_lines/202602/2", "winback/202602/1", "subject_lines/holdout"])
def test_assignments_are_independent(other: str) -> None:
    table, _, _ = np.histogram2d(numbers("subject_lines/202602/1"), numbers(other), bins=8, range=[[0, 1], [0, 1]])
    assert stats.chi2_contingency(table).pvalue > 1e-4


def test_the_holdout_is_the_same_people_in_every_experiment() -> None:
    held = [is_held_out("subject_lines", f"u{number}", 0.05) for number in range(20_000)]
    assert np.mean(held) == pytest.approx(0.05, abs=0.006)
    assert held == [is_held_out("subject_lines", f"u{number}", 0.05) for number in range(20_000)]


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=9), st.text(min_size=1, max_size=20))
def test_every_person_has_exactly_one_arm(weights: list[float], person: str) -> None:
    arms = [Arm(f"c{number}", "explore", weight / sum(weights)) for number, weight in enumerate(weights)]
    number = unit_number("salt", person)
    inside = [arm for arm, (low, high) in zip(arms, bounds(arms), strict=True) if low <= number < high]
    assert inside == [arm_of("salt", person, arms)]


@pytest.mark.slow
def test_people_are_dealt_alike_in_sql_in_python_and_by_the_reference(tmp_path: Path) -> None:
    """The benchmark does the same with a million."""
    program = read_program(FOLDER / "subject_lines.yaml")
    warehouse = Warehouse(tmp_path)
    warehouse.migrate()
    with warehouse.connect() as connection:
        audience(connection, 200_000)
        timed(connection, program)
        assert disagreements(connection, program) == (0, 0)
        assert chi_square(connection) > 1e-4
        assert connection.execute("select count(*), count(distinct user_id) from ledger.assignments").fetchall() == [
            (200_000,) * 2
        ]
