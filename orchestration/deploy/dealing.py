"""Deals the people of one batch to the arms, and writes down whom each arm's message goes to: in SQL, on everybody at once."""

import datetime as dt
from collections.abc import Mapping, Sequence

import duckdb

from orchestration.deploy.assignment import UNIT_NUMBER_SQL, Arm, bounds
from orchestration.deploy.reach import EVERYBODY_HOLDOUT, Reach
from orchestration.programs.definition import Program


def deal(
    connection: duckdb.DuckDBPyConnection,
    program: Program,
    experiment_id: str,
    salt: str,
    batch: int,
    arms: Mapping[str, Sequence[Arm]],
    reach: Reach,
    assigned_at: dt.datetime,
    now: dt.datetime,
) -> None:
    """Assigns the people of one batch: who is in it depends on a hash of its own, so a person is in one batch, whatever happens.

    Args:
        arms: Segment -> arms with their shares of the people outside the holdouts; a share of 0 gets nobody.
        reach: Whom the program may reach.
    """
    holdout = reach.holdout(program)
    connection.execute(
        "create or replace temp table arm_bounds (segment varchar, creative_id varchar, share double, low double, high double)"
    )
    for segment, members in arms.items():
        live = [arm for arm in members if arm.share > 0]
        connection.executemany(
            "insert into arm_bounds values (?, ?, ?, ?, ?)",
            [
                [segment, arm.creative_id, arm.share * (1 - holdout), low, high]
                for arm, (low, high) in zip(live, bounds(live), strict=True)
            ],
        )
    held_out, conditions, told = _bounds_sql(program, salt, batch, reach)
    connection.execute(
        f"""
        insert into ledger.assignments (experiment_id, user_id, segment, creative_id, probability, assigned_at, batch)
        with people as (
            select user_id, segment, {held_out} as is_held_out, {UNIT_NUMBER_SQL.format(salt="$salt")} as unit_number
            from marts.program_audience
            where {" and ".join(["program = $program", *conditions])}
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
        told
        | {
            "experiment_id": experiment_id,
            "program": program.program,
            "salt": salt,
            "batch": batch,
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


def _bounds_sql(program: Program, salt: str, batch: int, reach: Reach) -> tuple[str, list[str], dict[str, object]]:
    """Whether a person is held out, and the conditions of being dealt at all; a bound that binds nobody costs no hash."""
    told: dict[str, object] = {}

    def number(name: str, its_salt: str) -> str:
        told[f"{name}_salt"] = its_salt
        return UNIT_NUMBER_SQL.format(salt=f"${name}_salt")

    held = [
        f"{number(name, its_salt)} < {share!r}"
        for name, its_salt, share in (
            ("holdout", f"{program.program}/holdout", program.experiments.holdout_share),
            ("everybody", EVERYBODY_HOLDOUT, reach.everybody_holdout),
        )
        if share > 0
    ]
    conditions = []
    if reach.ramp_share < 1:
        conditions.append(f"{number('ramp', f'{program.program}/ramp')} < {reach.ramp_share!r}")
    if reach.layer is not None:
        told |= {"layer_low": reach.low, "layer_high": reach.high}
        layer = number("layer", reach.layer)
        conditions += [f"{layer} >= $layer_low", f"{layer} < $layer_high"]
    if program.experiments.batches > 1:
        told["batches"] = program.experiments.batches
        conditions.append(f"floor({number('batch', f'{salt}/batch')} * $batches) + 1 = $batch")
    return " or ".join(held) or "false", conditions, told
