"""Launches the experiments of one cycle: plans to the ledger, people to arms, messages to the channel."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from orchestration.deploy.assignment import Arm
from orchestration.deploy.batches import Chance, batch_times, next_chances, rolled_back
from orchestration.deploy.channels import Channel
from orchestration.deploy.dealing import deal
from orchestration.deploy.guarding import UNKNOWN, Guard
from orchestration.deploy.permission import may_send
from orchestration.deploy.reach import Reach, in_its_week
from orchestration.deploy.switches import state_of
from orchestration.edges.clock import cycle_of
from orchestration.edges.warehouse import Warehouse, transaction
from orchestration.policy.rules import Rules
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
    reach: Reach | None = None,
    programs: Sequence[Program] = (),
    guard: Guard = UNKNOWN,
    rules: Rules | None = None,
) -> list[Launch]:
    """Launches every experiment of the cycle whose creatives are all approved, or the next batch of it that is due.

    A send that is launched late starts late, and as long after the program's other sends as was meant, up to a day.
    A batch after the first goes out only while the cycle lasts: the next cycle's look counts everybody who was assigned. A stopped
    program launches nothing; one that was rolled back sends its baseline alone.

    Args:
        first_day: First day of the cycle; see :func:`starts_of`.
        seed: Of the draws that divide a batch.
        reach: Whom its sends may reach; None for everybody.
        programs: Every configured program; those of its exclusion group have their own parts of the people.
        guard: What is known of its guardrails.
        rules: Asked before every batch; None for those that ship.
    """
    asked = rules or Rules.load()
    launches = []
    with warehouse.connect() as connection:
        for send in starts_of(program, first_day):
            state = state_of(connection, program.program)
            if state == "stopped":
                break
            arms = _approved_arms(connection, program, cycle, send, is_rolled_back=state == "baseline")
            if not arms:
                continue
            starts_at = _start(connection, program, cycle, send, first_day, now)
            bounds = in_its_week(connection, reach or Reach(), program, programs, starts_at, now)
            experiment = _Experiment(program, cycle, send, starts_at, bounds)
            batch = _next_batch(connection, experiment, now)
            is_new = batch > 0 and may_send(connection, program, experiment.id, batch, arms, bounds, guard, asked, now)
            if is_new:
                _send(connection, experiment, batch, arms, now, seed, is_rolled_back=state == "baseline")
            launches += _told(connection, experiment, channel, now, is_new=is_new)
    return launches


def starts_of(program: Program, first_day: dt.date) -> dict[int, dt.datetime]:
    """Send -> its start: 10:00 UTC of consecutive days, early enough to be mature by the next cycle; daily, all in one day."""
    sends, ten = program.experiments.sends_per_cycle, dt.datetime.combine(first_day, dt.time(10))
    if program.cadence == "daily":
        return {send: ten + (send - 1) * dt.timedelta(hours=10) / sends for send in range(1, sends + 1)}
    return {send: ten + dt.timedelta(days=(send - 1) % 3, hours=4 * ((send - 1) // 3)) for send in range(1, sends + 1)}


def _start(
    connection: duckdb.DuckDBPyConnection,
    program: Program,
    cycle: int,
    send: int,
    first_day: dt.date,
    now: dt.datetime,
) -> dt.datetime:
    """When a send starts: as launched, or else as planned, or now where that has passed; never at once with another one."""
    planned = starts_of(program, first_day)
    rows = connection.execute(
        "select cycle, send_number, starts_at from ledger.experiments where program = ?", [program.program]
    ).fetchall()
    starts: dict[tuple[int, int], dt.datetime] = {(its_cycle, number): at for its_cycle, number, at in rows}
    if (cycle, send) in starts:
        return starts[cycle, send]
    day = dt.timedelta(days=1)
    # A daily program keeps to its hour from cycle to cycle, or one that is late would make all later ones late.
    others = [
        (at, min(day, abs(planned[send] - planned[number])) if its_cycle == cycle and number in planned else day)
        for (its_cycle, number), at in starts.items()
        if its_cycle == cycle or program.cadence == "weekly"
    ]
    start = max(now, planned[send])
    while clash := next((at + apart for at, apart in others if abs(start - at) < apart), None):
        start = clash
    return start


@dataclass(frozen=True, slots=True)
class _Experiment:
    program: Program
    cycle: int
    send: int
    starts_at: dt.datetime
    reach: Reach

    @property
    def id(self) -> str:
        return f"{self.program.program}-{self.cycle}-{self.send}"

    @property
    def salt(self) -> str:
        return f"{self.program.program}/{self.cycle}/{self.send}"


def _approved_arms(
    connection: duckdb.DuckDBPyConnection, program: Program, cycle: int, send: int, *, is_rolled_back: bool
) -> dict[str, list[Arm]]:
    """Segment -> arms in their order with their shares of the people outside the holdouts; nothing while a text of any segment waits.

    Before the first batch they are those of the plan, or of a program that was rolled back its baseline alone. After it they are those
    of the ledger, whatever the switch says by then: people are dealt to no others.
    """
    rows = connection.execute(
        """
        with launched as (
            select arms.segment, arms.arm_number, arms.creative_id, arms.role,
                arms.planned_share / sum(arms.planned_share) over (partition by arms.segment) as share
            from ledger.experiments as experiments
            inner join ledger.arms as arms on experiments.experiment_id = arms.experiment_id
            where experiments.program = $program and experiments.cycle = $cycle and experiments.send_number = $send
                and arms.role <> 'holdout'
        ),
        planned as (
            select segment, arm_number, creative_id, role, case when $is_rolled_back then 1.0 else planned_share end as share
            from ledger.current_plans
            where program = $program and cycle = $cycle and send_number = $send and planned_share > 0
                and (role = 'baseline' or not $is_rolled_back) and not exists (select 1 from launched)
        )
        select arms.segment, arms.creative_id, arms.role, arms.share, coalesce(decisions.decision, 'waiting') = 'approved'
        from (from launched union all from planned) as arms
        left join ledger.decisions as decisions on arms.creative_id = decisions.creative_id
        order by arms.segment, arms.arm_number
        """,
        {"program": program.program, "cycle": cycle, "send": send, "is_rolled_back": is_rolled_back},
    ).fetchall()
    if not all(is_approved for *_, is_approved in rows):
        return {}
    arms: dict[str, list[Arm]] = {}
    for segment, creative_id, role, share, _ in rows:
        arms.setdefault(segment, []).append(Arm(creative_id, role, share))
    return arms


def _next_batch(connection: duckdb.DuckDBPyConnection, experiment: _Experiment, now: dt.datetime) -> int:
    """Number of the batch that is due, from 1; 0 if none is."""
    done, times = _batches_done(connection, experiment.id), batch_times(experiment.program, experiment.starts_at)
    lasts = cycle_of(now.date(), experiment.program.cadence) <= experiment.cycle
    return done + 1 if done == 0 or (done < len(times) and times[done] <= now and lasts) else 0


def _send(
    connection: duckdb.DuckDBPyConnection,
    experiment: _Experiment,
    batch: int,
    arms: Mapping[str, Sequence[Arm]],
    now: dt.datetime,
    seed: int,
    *,
    is_rolled_back: bool,
) -> None:
    program, starts_at = experiment.program, experiment.starts_at
    with transaction(connection):
        if batch == 1:
            _open(connection, experiment, arms, now)
        chances = {
            segment: next_chances(connection, program, experiment.id, segment, batch, members, seed=seed)
            for segment, members in arms.items()
        }
        if is_rolled_back:
            chances = {segment: rolled_back(members) for segment, members in chances.items()}
        assigned_at = max(now, batch_times(program, starts_at)[batch - 1])
        _record_chances(connection, experiment, batch, chances, now)
        dealt = {segment: [chance.arm for chance in members] for segment, members in chances.items()}
        deal(connection, program, experiment.id, experiment.salt, batch, dealt, experiment.reach, assigned_at, now)


def _told(
    connection: duckdb.DuckDBPyConnection,
    experiment: _Experiment,
    channel: Channel,
    now: dt.datetime,
    *,
    is_new: bool,
) -> list[Launch]:
    """What the experiment came to, and its messages handed over; nothing where it is not launched."""
    row = connection.execute(
        """
        select any_value(experiments.starts_at), count(assignments.user_id)
        from ledger.experiments as experiments
        left join ledger.assignments as assignments on experiments.experiment_id = assignments.experiment_id
        where experiments.experiment_id = ?
        group by experiments.experiment_id
        """,
        [experiment.id],
    ).fetchone()
    if row is None:
        return []
    messages = 0 if experiment.program.dry_run else channel.deliver(connection, experiment.id, now)
    return [Launch(experiment.id, row[0], int(row[1]), messages, is_new)]


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
    connection: duckdb.DuckDBPyConnection, experiment: _Experiment, arms: Mapping[str, Sequence[Arm]], now: dt.datetime
) -> None:
    place = [experiment.id, experiment.program.program, experiment.cycle, experiment.send]
    connection.execute(
        "insert into ledger.experiments values (?, ?, ?, ?, ?, ?, true, ?)",
        [*place, experiment.starts_at, experiment.salt, now],
    )
    holdout = experiment.reach.holdout(experiment.program)
    for segment, members in arms.items():
        rows = [(arm.creative_id, arm.role, arm.share * (1 - holdout)) for arm in members]
        rows += [("holdout", "holdout", holdout)] if holdout else []
        connection.executemany(
            "insert into ledger.arms values (?, ?, ?, ?, ?, ?, ?)",
            [[experiment.id, segment, arm[0], number, arm[1], arm[2], now] for number, arm in enumerate(rows)],
        )


def _record_chances(
    connection: duckdb.DuckDBPyConnection,
    experiment: _Experiment,
    batch: int,
    chances: Mapping[str, Sequence[Chance]],
    now: dt.datetime,
) -> None:
    holdout = experiment.reach.holdout(experiment.program)
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
            [[experiment.id, segment, batch, *row, now] for row in rows],
        )
