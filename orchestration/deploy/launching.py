"""Launches a cycle of one program safely: guardrails first, then the ramp, then whom it may reach, then the sends."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from orchestration.deploy.channels import Channel
from orchestration.deploy.experiments import Launch, launch_cycle
from orchestration.deploy.guarding import Guard, guard_of
from orchestration.deploy.ramp import ramp_share
from orchestration.deploy.reach import Reach, reach_of
from orchestration.deploy.switches import State, known_switches, record_switches, state_by_both, throw
from orchestration.edges.warehouse import Warehouse, transaction
from orchestration.policy.rules import Rules
from orchestration.programs.definition import Program


@dataclass(frozen=True, slots=True)
class Launched:
    """What a program did in a cycle.

    Attributes:
        state: Of its switch, after the guardrails were read.
    """

    program: str
    state: State
    guard: Guard
    reach: Reach
    launches: tuple[Launch, ...]


def launch_program(
    warehouse: Warehouse,
    program: Program,
    programs: Sequence[Program],
    cycle: int,
    first_day: dt.date,
    channel: Channel,
    now: dt.datetime,
    *,
    seed: int,
    rules: Rules,
) -> Launched:
    """Stops the program if its guardrails say so, decides its ramp and its reach, and launches what is due.

    Args:
        programs: Every configured program, of all cadences; those of its exclusion group matter.
    """
    record_switches(warehouse)
    with warehouse.connect() as connection, transaction(connection):
        guard = guard_of(connection, program, known_switches(connection))
        share = ramp_share(connection, program, cycle, guard, now)
        reach = reach_of(connection, share)
    if guard.status == "harmed" and state_by_both(warehouse, program.program) == "running":
        throw(warehouse.folder, program.program, "stopped", "guardrails", guard.reason, now)
        record_switches(warehouse)
    launches = launch_cycle(
        warehouse,
        program,
        cycle,
        first_day,
        channel,
        now,
        seed=seed,
        reach=reach,
        programs=programs,
        guard=guard,
        rules=rules,
    )
    return Launched(program.program, state_by_both(warehouse, program.program), guard, reach, tuple(launches))
