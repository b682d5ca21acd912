"""Launches the experiments of one cycle: plans to the ledger, people to arms, messages to the channel."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from orchestration.deploy.assignment import UNIT_NUMBER_SQL, Arm, bounds
from orchestration.deploy.batches import Chance, batch_times, next_chances
from orchestration.deploy.channels import Channel
from orchestration.edges.clock import cycle_of
from orchestration.edges.warehouse import Warehouse, transaction
from orchestration.programs.definition import Program


@dataclass(frozen=True, slots=True)
class Launch:
    """What one experiment came to.

    Attributes:
        people: Assigned people, the holdout included.
        messages: Messages handed to the channel; 0 in a dry run.
        is_new: Whether this call assigned anybody (a repeated call assigns nobody twice).
    """

    experiment_id: str
    starts_at: dt.datetime
    people: int
    messages: int
    is_new: bool


def launch_cycle(
    warehouse: Warehouse,
    program: Program,
    cycle: int,
    first_day: dt.date,
    channel: Channel,
    now: dt.datetime,
    *,
    seed: int = 0,
) -> list[Launch]:
    """Launches every experiment of the cycle whose creatives are all approved, or the next batch of it that is due.

    A batch after the first goes out only while the cycle lasts: the next cycle's look counts everybody who was assigned.

    Args:
        first_day: First day of the cycle; see :func:`starts_of`.
        seed: Of the draws that divide a batch.
    """
    launches = []
    with warehouse.connect() as connection:
        for send, starts_at in starts_of(program, first_day).items():
            arms = _approved_arms(connection, program, cycle, send)
            if set(arms) != set(program.segments):
                continue
            launches.append(_launch(connection, program, cycle, send, starts_at, arms, channel, now, seed))
    return launches


def starts_of(program: Program, first_day: dt.date) -> dict[int, dt.datetime]:
    """Send -> its start: 10:00 UTC of consecutive days, early enough to be mature by the next cycle."""
    return {
        send: dt.datetime.combine(first_day, dt.time(10))
        + dt.timedelta(days=(send - 1) % 3, hours=4 * ((send - 1) // 3))
        for send in range(1, program.experiments.sends_per_cycle + 1)
    }


def _approved_arms(
    connection: duckdb.DuckDBPyConnection, program: Program, cycle: int, send: int
) -> dict[str, list[Arm]]:
    """Segment -> arms in their order, for segments in which every creative is approved."""
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
    arms: dict[str, list[Arm]] = {}
    waiting = {segment for segment, _, _, _, decision in rows if decision != "approved"}
    for segment, creative_id, role, share, _ in rows:
        if segment not in waiting:
            arms.setdefault(segment, []).append(Arm(creative_id, role, share))
    return arms


def _launch(
    connection: duckdb.DuckDBPyConnection,
    program: Program,
    cycle: int,
    send: int,
    starts_at: dt.datetime,
    arms: Mapping[str, Sequence[Arm]],
    channel: Channel,
    now: dt.datetime,
    seed: int,
) -> Launch:
    experiment_id, salt = f"{program.program}-{cycle}-{send}", f"{program.program}/{cycle}/{send}"
    done = _batches_done(connection, experiment_id)
    times = batch_times(program, starts_at)
    is_due = done == 0 or (done < len(times) and times[done] <= now and cycle_of(now.date(), program.cadence) <= cycle)
    if is_due:
        batch = done + 1
        with transaction(connection):
            if batch == 1:
                _open(connection, program, cycle, send, experiment_id, salt, starts_at, arms, now)
            chances = {
                segment: next_chances(connection, program, experiment_id, segment, batch, members, seed=seed)
                for segment, members in arms.items()
            }
            assigned_at = starts_at if batch == 1 else max(now, times[done])
            _record_chances(connection, program, experiment_id, batch, chances, now)
            _assign(connection, program, experiment_id, salt, batch, chances, assigned_at, now)
    people = connection.execute(
        "select count(*) from ledger.assignments where experiment_id = ?", [experiment_id]
    ).fetchone()
    messages = 0 if program.dry_run else channel.deliver(connection, experiment_id)
    return Launch(experiment_id, starts_at, int(people[0]) if people else 0, messages, is_due)


def _batches_done(connection: duckdb.DuckDBPyConnection, experiment_id: str) -> int:
    """Batches assigned so far; of an experiment launched before sends had batches there are no more to come."""
    row = connection.execute(
        """
        select coalesce(max(allocations.batch), 1000)
        from ledger.experiments as experiments
        left join ledger.allocations as allocations on experiments.experiment_id = allocations.experiment_id
        where experiments.experiment_id = ?
        group by experiments.experiment_id
        """,
        [experiment_id],
    ).fetchone()
    return int(row[0]) if row else 0


def _open(
    connection: duckdb.DuckDBPyConnection,
    program: Program,
    cycle: int,
    send: int,
    experiment_id: str,
    salt: str,
    starts_at: dt.datetime,
    arms: Mapping[str, Sequence[Arm]],
    now: dt.datetime,
) -> None:
    connection.execute(
        "insert into ledger.experiments values (?, ?, ?, ?, ?, ?, true, ?)",
        [experiment_id, program.program, cycle, send, starts_at, salt, now],
    )
    holdout = program.experiments.holdout_share
    for segment, members in arms.items():
        rows = [(arm.creative_id, arm.role, arm.share * (1 - holdout)) for arm in members]
        rows += [("holdout", "holdout", holdout)] if holdout else []
        connection.executemany(
            "insert into ledger.arms values (?, ?, ?, ?, ?, ?, ?)",
            [[experiment_id, segment, arm[0], number, arm[1], arm[2], now] for number, arm in enumerate(rows)],
        )


def _record_chances(
    connection: duckdb.DuckDBPyConnection,
    program: Program,
    experiment_id: str,
    batch: int,
    chances: Mapping[str, Sequence[Chance]],
    now: dt.datetime,
) -> None:
    holdout = program.experiments.holdout_share
    for segment, members in chances.items():
        rows: list[list[object]] = [
            [
                chance.arm.creative_id,
                chance.arm.share * (1 - holdout),
                chance.units_seen,
                chance.sum_seen,
                chance.reason,
            ]
            for chance in members
        ]
        rows += [["holdout", holdout, 0.0, 0.0, "planned" if batch == 1 else "fixed"]] if holdout else []
        connection.executemany(
            "insert into ledger.allocations values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [[experiment_id, segment, batch, *row, now] for row in rows],
        )


def _assign(
    connection: duckdb.DuckDBPyConnection,
    program: Program,
    experiment_id: str,
    salt: str,
    batch: int,
    chances: Mapping[str, Sequence[Chance]],
    assigned_at: dt.datetime,
    now: dt.datetime,
) -> None:
    """Assigns the people of one batch: who is in it depends on a hash of its own, so a person is in one batch, whatever happens."""
    holdout = program.experiments.holdout_share
    connection.execute(
        "create or replace temp table arm_bounds (segment varchar, creative_id varchar, share double, low double, high double)"
    )
    for segment, members in chances.items():
        live = [chance.arm for chance in members if chance.arm.share > 0]
        connection.executemany(
            "insert into arm_bounds values (?, ?, ?, ?, ?)",
            [
                [segment, arm.creative_id, arm.share * (1 - holdout), low, high]
                for arm, (low, high) in zip(live, bounds(live), strict=True)
            ],
        )
    connection.execute(
        f"""
        insert into ledger.assignments
            (experiment_id, user_id, segment, creative_id, probability, assigned_at, batch)
        with people as (
            select
                user_id,
                segment,
                {UNIT_NUMBER_SQL.format(salt="$holdout_salt")} < $holdout as is_held_out,
                {UNIT_NUMBER_SQL.format(salt="$salt")} as unit_number
            from marts.program_audience
            where program = $program
                and floor({UNIT_NUMBER_SQL.format(salt="$batch_salt")} * $batches) + 1 = $batch
                and user_id not in (select user_id from ledger.assignments where experiment_id = $experiment_id)
        )
        select $experiment_id, people.user_id, people.segment,
            case when people.is_held_out then 'holdout' else arm_bounds.creative_id end,
            case when people.is_held_out then $holdout else arm_bounds.share end,
            $assigned_at,
            $batch
        from people
        inner join arm_bounds
            on people.segment = arm_bounds.segment and people.unit_number >= arm_bounds.low and people.unit_number < arm_bounds.high
        """,
        {
            "experiment_id": experiment_id,
            "program": program.program,
            "salt": salt,
            "batch_salt": f"{salt}/batch",
            "batch": batch,
            "batches": program.experiments.batches,
            "holdout_salt": f"{program.program}/holdout",
            "holdout": holdout,
            "assigned_at": assigned_at,
        },
    )
    connection.execute(
        """
        insert into ledger.sends
        select sha256($experiment_id || '/' || user_id), $experiment_id, user_id, creative_id, $channel, $dry_run, $assigned_at, $now
        from ledger.assignments
        where experiment_id = $experiment_id and creative_id <> 'holdout' and batch = $batch
        """,
        {
            "experiment_id": experiment_id,
            "batch": batch,
            "channel": program.channel,
            "dry_run": program.dry_run,
            "assigned_at": assigned_at,
            "now": now,
        },
    )
