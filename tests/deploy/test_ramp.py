"""What lets a ramp rise, and what complaints over the hard limit do to a program."""

from pathlib import Path

import pytest

from orchestration.deploy.switches import throw
from orchestration.edges.warehouse import Warehouse

from .world import MONDAY, WEEK, judge, launch, plan, program_of, warehouse_in


@pytest.mark.parametrize(
    ("verdict", "difference", "people", "holdout", "told"),
    [
        ("pass", 0.0, 900, "stopped_for_harm", "4 arms were judged"),  # people who get nothing are no arm
        ("withheld", 0.0, 900, None, "harm of leave beyond the margin is not ruled out for 4 of 4 judged arms"),
        ("not_enough_data", 0.004, 900, None, "4 arms were judged"),  # hardly anybody leaves
        ("not_enough_data", 0.02, 900, None, "not ruled out for 4 of 4"),  # few leave, but more than the margin allows
        ("not_enough_data", 0.0, 60, None, "no arm has enough people"),
    ],
)
def test_a_ramp_rises_only_where_harm_is_ruled_out_for_every_judged_arm(
    tmp_path: Path, verdict: str, difference: float, people: int, holdout: str | None, told: str
) -> None:
    warehouse, program = warehouse_in(tmp_path), program_of(ramp=[0.05])
    for week in range(2):
        plan(warehouse, program, week)
    launch(warehouse, program, 0)
    judge(warehouse, program, 0, verdict, difference=difference, people=people, holdout=holdout)
    rises = told == "4 arms were judged"
    done = launch(warehouse, program, 1)
    assert (done.guard.status, done.reach.ramp_share) == (("healthy", 1.0) if rises else ("unknown", 0.05))
    assert told in done.guard.reason


def test_the_holdout_alone_lets_no_ramp_rise(tmp_path: Path) -> None:
    warehouse, program = warehouse_in(tmp_path), program_of(ramp=[0.05])
    for week in range(2):
        plan(warehouse, program, week)
    launch(warehouse, program, 0)
    judge(warehouse, program, 0, "pass", arms=0, holdout="pass")
    assert launch(warehouse, program, 1).reach.ramp_share == 0.05


def test_a_ramp_waits_for_every_guardrail_and_a_slow_one_keeps_its_last_word(tmp_path: Path) -> None:
    spec = program_of(ramp=[0.05, 0.25]).model_dump(mode="json")
    spec["metrics"].append(spec["metrics"][1] | {"name": "refund", "event": "Order Refunded", "within_days": 21})
    warehouse, program = warehouse_in(tmp_path), type(program_of()).model_validate(spec)
    for week in range(4):
        plan(warehouse, program, week)
    launch(warehouse, program, 0)
    judge(warehouse, program, 0, "pass")
    second = launch(warehouse, program, 1)
    assert (second.reach.ramp_share, second.guard.reason) == (0.05, "refund could not be judged yet")
    judge(warehouse, program, 1, "pass")
    judge(warehouse, program, 0, "pass", metric="refund")
    assert launch(warehouse, program, 2).reach.ramp_share == 0.25
    judge(warehouse, program, 1, "pass", metric="refund", harmful=1)
    judge(warehouse, program, 2, "pass")
    last = launch(warehouse, program, 3)
    assert (last.guard.status, last.reach.ramp_share) == ("suspect", 0.25)


def complain(warehouse: Warehouse, week: int, stopped: dict[str, str]) -> None:
    """What the mart would say of a week's send: creatives that are over the limit of complaints, by role, and the others."""
    done = warehouse.rows(
        "select arms.*, experiments.cycle from ledger.arms as arms join ledger.experiments as experiments using (experiment_id) "
        "where role <> 'holdout' and segment = 'new' and experiments.cycle = ?",
        [202606 + week],
    )

    def over(role: str) -> tuple[bool, str | None]:
        return role in stopped, stopped.get(role)

    with warehouse.connect() as connection:
        connection.executemany(
            "insert into marts.experiment_complaints values (?, ?, ?, ?, ?, 900, 0.004, ?, ?)",
            [
                ["news", *(row[name] for name in ("experiment_id", "creative_id", "role", "cycle")), *over(row["role"])]
                for row in done
            ],
        )


@pytest.mark.parametrize(
    ("roles", "status", "state"),
    [(["exploit"], "suspect", "running"), (["exploit", "explore"], "harmed", "stopped"), (["baseline"], "harmed", "stopped")],
)  # fmt: skip
def test_complaints_over_the_limit_hold_the_ramp_and_many_or_the_baselines_stop_the_program(
    tmp_path: Path, roles: list[str], status: str, state: str
) -> None:
    warehouse, program = warehouse_in(tmp_path), program_of(ramp=[0.5])
    for week in range(2):
        plan(warehouse, program, week)
    launch(warehouse, program, 0)
    judge(warehouse, program, 0, "pass")
    complain(warehouse, 0, dict.fromkeys(roles, "4 of 900 people called it spam"))
    done = launch(warehouse, program, 1)
    assert (done.guard.status, done.state, done.reach.ramp_share) == (status, state, 0.5)
    assert f"{roles[0]} news-202606-new-{roles[0]}: 4 of 900 people called it spam" in done.guard.reason
    throw(warehouse.folder, "news", "running", "anna", "I looked", MONDAY + WEEK)
    assert launch(warehouse, program, 1).guard.status == "unknown", "whoever resumed has looked at it"
