"""The power check: before anything is launched, how long the design needs to prove an effect of the planned size."""

import datetime as dt
from dataclasses import dataclass

from orchestration.edges.warehouse import Warehouse
from orchestration.learn.planning import LONGEST, plan
from orchestration.learn.policy import policy
from orchestration.programs.definition import Program


@dataclass(frozen=True, slots=True)
class PowerCheck:
    """A row of ``ledger.power_checks``.

    Attributes:
        rate: Of the baseline, as ``marts.loop_value`` has it; None before the first experiment closed.
        people_per_arm: People of an explore arm and its share of its twin's, all segments together.
        experiments, weeks: None where the rate is not known, or not even the longest plan suffices.
    """

    program: str
    cycle: int
    effect: float
    rate: float | None
    people_per_arm: int
    experiments: int | None
    weeks: float | None
    message: str
    recorded_at: dt.datetime


def check_power(warehouse: Warehouse, program: Program, cycle: int, now: dt.datetime) -> PowerCheck:
    """Plans the program's next proof with its own list and rate, and keeps the answer; once a cycle."""
    known = warehouse.rows(
        "select * from ledger.power_checks where program = ? and cycle = ?", [program.program, cycle]
    )
    if known:
        return PowerCheck(**known[0])
    made = _check(warehouse, program, cycle, now)
    warehouse.append({"ledger.power_checks": [made]})
    return made


def _check(warehouse: Warehouse, program: Program, cycle: int, now: dt.datetime) -> PowerCheck:
    effect, settings = policy()["planned_effect"], program.experiments
    explored = min(int(policy()["explore_arms"]), len(program.tags))
    per_arm = int(_people(warehouse, program) * (1 - settings.holdout_share) * settings.explore_share / explored)
    rate = _rate(warehouse, program, cycle)
    place = (program.program, cycle, effect, rate, per_arm)
    subject = f"an effect of {effect:+.0%} of one tag on {program.objective.name}"
    if rate is None or not 0 < rate < 1 or per_arm < 1:
        missing = (
            "nobody is in an arm" if per_arm < 1 else "the baseline's rate is not known before an experiment has closed"
        )
        return PowerCheck(*place, None, None, f"{subject}: cannot be planned, {missing}", now)
    sends_a_week = settings.sends_per_cycle * {"weekly": 1, "daily": 7}[program.cadence]
    made = plan(
        effect=effect,
        rate=rate,
        people_per_arm=per_arm,
        experiments_per_week=sends_a_week * explored / len(program.tags),
        tags=len(program.tags),
    )
    if made.experiments is None or made.weeks is None:
        message = f"{subject}: this list is too small, more than {LONGEST} experiments would be needed"
        return PowerCheck(*place, None, None, message, now)
    message = f"{subject}: this will need {made.weeks:.0f} weeks ({made.experiments} experiments of {per_arm:,} people an arm)"
    return PowerCheck(*place, made.experiments, made.weeks, message, now)


def _people(warehouse: Warehouse, program: Program) -> int:
    rows = warehouse.rows(
        "select count(*) as people from marts.program_audience where program = $program",
        {"program": program.program},
    )
    return int(rows[0]["people"])


def _rate(warehouse: Warehouse, program: Program, cycle: int) -> float | None:
    """Mean outcome of the baseline so far; null for outcomes that are not 0/1, which a plan of rates cannot use."""
    if program.objective.value != "any" and program.objective.at_least is None:
        return None
    rows = warehouse.rows(
        """
        select max_by(other_mean, cycle) as rate from marts.loop_value
        where program = $program and against = 'baseline' and cycle <= $cycle
        """,
        {"program": program.program, "cycle": cycle},
    )
    return None if rows[0]["rate"] is None else float(rows[0]["rate"])
