"""Launches the experiments of one cycle: plans to the ledger, people to arms, messages to the channel."""

import datetime as dt
from dataclasses import dataclass

import duckdb

from orchestration.deploy.assignment import UNIT_NUMBER_SQL, Arm, bounds
from orchestration.deploy.channels import Channel
from orchestration.edges.warehouse import Warehouse, transaction
from orchestration.programs.definition import Program


@dataclass(frozen=True, slots=True)
class Launch:
    """What one experiment came to.

    Attributes:
        people: Assigned people, the holdout included.
        messages: Messages handed to the channel; 0 in a dry run.
        is_new: Whether this call launched it (a repeated call launches nothing twice).
    """

    experiment_id: str
    starts_at: dt.datetime
    people: int
    messages: int
    is_new: bool


def launch_cycle(
    warehouse: Warehouse, program: Program, cycle: int, first_day: dt.date, channel: Channel, now: dt.datetime
) -> list[Launch]:
    """Launches every experiment of the cycle whose creatives are all approved.

    Args:
        first_day: First day of the cycle; sends start at 10:00 UTC of consecutive days, early enough to be mature by the next cycle.
    """
    launches = []
    with warehouse.connect() as connection:
        for send in range(1, program.experiments.sends_per_cycle + 1):
            arms = _approved_arms(connection, program, cycle, send)
            if set(arms) != set(program.segments):
                continue
            starts_at = dt.datetime.combine(first_day, dt.time(10)) + dt.timedelta(
                days=(send - 1) % 3, hours=4 * ((send - 1) // 3)
            )
            launches.append(_launch(connection, program, cycle, send, starts_at, arms, channel, now))
    return launches


def _approved_arms(
    connection: duckdb.DuckDBPyConnection, program: Program, cycle: int, send: int
) -> dict[str, list[tuple[str, str, float]]]:
    """Segment -> (creative, role, share) in arm order, for segments in which every creative is approved."""
    rows = connection.execute(
        """
        with decisions as (
            select creative_id, max_by(decision, recorded_at) as decision from ledger.approvals group by creative_id
        )
        select plans.segment, plans.creative_id, plans.role, plans.planned_share, coalesce(decisions.decision, 'waiting') as decision
        from ledger.plans as plans
        left join decisions on plans.creative_id = decisions.creative_id
        where plans.program = $program and plans.cycle = $cycle and plans.send_number = $send
        order by plans.segment, plans.arm_number
        """,
        {"program": program.program, "cycle": cycle, "send": send},
    ).fetchall()
    arms: dict[str, list[tuple[str, str, float]]] = {}
    waiting = {segment for segment, _, _, _, decision in rows if decision != "approved"}
    for segment, creative_id, role, share, _ in rows:
        if segment not in waiting:
            arms.setdefault(segment, []).append((creative_id, role, share))
    return arms


def _launch(
    connection: duckdb.DuckDBPyConnection,
    program: Program,
    cycle: int,
    send: int,
    starts_at: dt.datetime,
    arms: dict[str, list[tuple[str, str, float]]],
    channel: Channel,
    now: dt.datetime,
) -> Launch:
    experiment_id = f"{program.program}-{cycle}-{send}"
    salt = f"{program.program}/{cycle}/{send}"
    known = connection.execute(
        "select count(*) from ledger.experiments where experiment_id = ?", [experiment_id]
    ).fetchone()
    is_new = known is None or known[0] == 0
    if is_new:
        with transaction(connection):
            _record(connection, program, cycle, send, experiment_id, salt, starts_at, arms, now)
    people = connection.execute(
        "select count(*) from ledger.assignments where experiment_id = ?", [experiment_id]
    ).fetchone()
    messages = 0 if program.dry_run else channel.deliver(connection, experiment_id)
    return Launch(experiment_id, starts_at, int(people[0]) if people else 0, messages, is_new)


def _record(
    connection: duckdb.DuckDBPyConnection,
    program: Program,
    cycle: int,
    send: int,
    experiment_id: str,
    salt: str,
    starts_at: dt.datetime,
    arms: dict[str, list[tuple[str, str, float]]],
    now: dt.datetime,
) -> None:
    holdout = program.experiments.holdout_share
    connection.execute(
        "insert into ledger.experiments values (?, ?, ?, ?, ?, ?, true, ?)",
        [experiment_id, program.program, cycle, send, starts_at, salt, now],
    )
    connection.execute(
        "create or replace temp table arm_bounds (segment varchar, creative_id varchar, share double, low double, high double)"
    )
    for segment, members in arms.items():
        planned = [Arm(creative_id, role, share) for creative_id, role, share in members]
        rows = [(arm.creative_id, arm.role, arm.share * (1 - holdout)) for arm in planned]
        rows += [("holdout", "holdout", holdout)] if holdout else []
        connection.executemany(
            "insert into ledger.arms values (?, ?, ?, ?, ?, ?, ?)",
            [[experiment_id, segment, arm[0], number, arm[1], arm[2], now] for number, arm in enumerate(rows)],
        )
        connection.executemany(
            "insert into arm_bounds values (?, ?, ?, ?, ?)",
            [
                [segment, arm.creative_id, arm.share * (1 - holdout), low, high]
                for arm, (low, high) in zip(planned, bounds(planned), strict=True)
            ],
        )
    connection.execute(
        f"""
        insert into ledger.assignments
        with people as (
            select
                user_id,
                segment,
                {UNIT_NUMBER_SQL.format(salt="$holdout_salt")} < $holdout as is_held_out,
                {UNIT_NUMBER_SQL.format(salt="$salt")} as unit_number
            from marts.audience
            where is_subscribed
        )
        select $experiment_id, people.user_id, people.segment,
            case when people.is_held_out then 'holdout' else arm_bounds.creative_id end,
            case when people.is_held_out then $holdout else arm_bounds.share end,
            $starts_at
        from people
        inner join arm_bounds
            on people.segment = arm_bounds.segment and people.unit_number >= arm_bounds.low and people.unit_number < arm_bounds.high
        """,
        {
            "experiment_id": experiment_id,
            "salt": salt,
            "holdout_salt": f"{program.program}/holdout",
            "holdout": holdout,
            "starts_at": starts_at,
        },
    )
    connection.execute(
        """
        insert into ledger.sends
        select sha256($experiment_id || '/' || user_id), $experiment_id, user_id, creative_id, $channel, $dry_run, $starts_at, $now
        from ledger.assignments
        where experiment_id = $experiment_id and creative_id <> 'holdout'
        """,
        {
            "experiment_id": experiment_id,
            "channel": program.channel,
            "dry_run": program.dry_run,
            "starts_at": starts_at,
            "now": now,
        },
    )
