"""The batches of a send: when each is due, and the chances it gives its arms from what the earlier ones have shown so far.

Baseline and control keep their planned shares: they measure the loop. The other arms share the rest by Thompson sampling, each with a
floor, so that evidence can be weighted by the chances (int_experiments__reweighted). An arm that harmed a guardrail, or whose
complaints are over the limit, gets nothing more. The baseline goes on: a program whose baseline is complained about is stopped as
a whole (``guarding``).
"""

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import duckdb
import numpy as np

from orchestration.deploy.allocation import prior_of, probabilities, updated
from orchestration.deploy.assignment import Arm
from orchestration.normal import Floats, Normal
from orchestration.programs.definition import Program

FIXED = frozenset({"baseline", "control"})


@dataclass(frozen=True, slots=True)
class Chance:
    """The chance of one arm in one batch, among people outside the holdout.

    Attributes:
        units_seen, sum_seen: People of earlier batches and the sum of the objective over them, when it was fixed.
        reason: ``planned``, ``fixed``, ``adapted``, or why the arm was stopped.
    """

    arm: Arm
    units_seen: float
    sum_seen: float
    reason: str


def batch_times(program: Program, starts_at: dt.datetime) -> list[dt.datetime]:
    """When each batch of a send is due, the first one at its start."""
    settings = program.experiments
    return [starts_at + dt.timedelta(hours=settings.batch_hours * number) for number in range(settings.batches)]


def next_chances(
    connection: duckdb.DuckDBPyConnection,
    program: Program,
    experiment_id: str,
    segment: str,
    batch: int,
    planned: Sequence[Arm],
    *,
    seed: int,
) -> list[Chance]:
    """Chances of the arms of one segment in a batch; they sum to 1 over people outside the holdout.

    Args:
        batch: Number of the batch, from 1; the first one follows the plan.
        planned: Arms in their order with their planned shares.
        seed: Of the Monte Carlo draws.
    """
    if batch == 1:
        return [Chance(arm, 0.0, 0.0, "planned") for arm in planned]
    units, sums, dispersion = _seen(connection, program, experiment_id, segment, planned)
    stopped = _stopped(connection, experiment_id, segment)
    live = [at for at, arm in enumerate(planned) if arm.role not in FIXED and arm.creative_id not in stopped]
    shares = np.array([arm.share if arm.role in FIXED and arm.creative_id not in stopped else 0.0 for arm in planned])
    if live:
        policy, room = _policy(connection), 1 - shares.sum()
        prior = _prior(connection, program, segment, [planned[at] for at in live], policy)
        shares[live] = room * probabilities(
            updated(prior, units[:, live], sums[:, live], dispersion),
            _floors([planned[at].role for at in live], policy, room),
            _draws(seed, experiment_id, segment, batch),
            width=policy["allocation_width"],
        )
    else:
        shares /= shares.sum()  # only what measures is left: it takes everybody
    seen, told = units.sum(axis=0), sums.sum(axis=0)
    return [
        Chance(
            Arm(arm.creative_id, arm.role, float(shares[at])),
            float(seen[at]),
            float(told[at]),
            f"stopped: {stopped[arm.creative_id]}"
            if arm.creative_id in stopped
            else ("fixed" if arm.role in FIXED else "adapted"),
        )
        for at, arm in enumerate(planned)
    ]


def rolled_back(chances: Sequence[Chance]) -> list[Chance]:
    """The chances of a batch of a program that was rolled back: the baseline takes everybody."""
    baselines = sum(chance.arm.role == "baseline" for chance in chances)
    return [
        replace(
            chance,
            arm=replace(chance.arm, share=1 / baselines if chance.arm.role == "baseline" else 0.0),
            reason="rolled back to the baseline",
        )
        for chance in chances
    ]


def _floors(roles: Sequence[str], policy: dict[str, float], room: float) -> list[float]:
    """Smallest chances inside the room that fixed arms leave: of each arm, and of the arms that explore together."""
    exploring = max(1, sum(role == "explore" for role in roles))
    least = [
        max(policy["arm_floor"], policy["explore_floor"] / exploring if role == "explore" else 0.0) / room
        for role in roles
    ]
    return [floor / max(1.0, sum(least)) for floor in least]


def _seen(
    connection: duckdb.DuckDBPyConnection, program: Program, experiment_id: str, segment: str, arms: Sequence[Arm]
) -> tuple[Floats, Floats, float]:
    """People and sums of the objective by batch and arm, shape (batches, arms), and the dispersion of a person's outcome."""
    rows = connection.execute(
        """
        select batch, creative_id, n, greatest(sum_y, 0), sum_y2
        from intermediate.int_experiments__batch_progress
        where experiment_id = ? and segment = ? and metric = ?
        """,
        [experiment_id, segment, program.objective.name],
    ).fetchall()
    column = {arm.creative_id: at for at, arm in enumerate(arms)}
    batches = max((row[0] for row in rows), default=0)
    units, sums = np.zeros((batches, len(arms))), np.zeros((batches, len(arms)))
    for batch, creative_id, people, total, _ in rows:
        units[batch - 1, column[creative_id]] = people
        sums[batch - 1, column[creative_id]] = total
    squares = sum(row[4] for row in rows)
    dispersion = squares / sums.sum() if sums.sum() > 0 and squares > 0 else 1.0
    return units, sums, dispersion


def _stopped(connection: duckdb.DuckDBPyConnection, experiment_id: str, segment: str) -> dict[str, str]:
    """Arms that get nothing more, each with one reason; what stopped an earlier batch comes first."""
    return dict(
        connection.execute(
            """
            with stops as (
                select creative_id, 3 as place, 'harmed ' || metric as reason
                from intermediate.int_experiments__stopped_arms
                where experiment_id = $experiment_id and segment = $segment
                union all
                select creative_id, 2, stopped_reason
                from marts.experiment_complaints
                where experiment_id = $experiment_id and is_stopped and role <> 'baseline'
                union all
                select creative_id, 1, substr(reason, length('stopped: ') + 1)
                from ledger.allocations
                where experiment_id = $experiment_id and segment = $segment and reason like 'stopped: %'
            )
            select creative_id, min_by(reason, (place, reason)) from stops group by creative_id
            """,
            {"experiment_id": experiment_id, "segment": segment},
        ).fetchall()
    )


def _prior(
    connection: duckdb.DuckDBPyConnection, program: Program, segment: str, arms: Sequence[Arm], policy: dict[str, float]
) -> Normal:
    effects = {tag: (0.0, float(np.sqrt(policy["choice_prior_variance"]))) for tag in program.tags}
    rows = connection.execute(
        """
        select tag, posterior_mean, posterior_sd
        from marts.tag_posteriors
        where program = $program and metric = $metric and segment in ('all', $segment)
            and cycle = (select max(cycle) from marts.tag_posteriors where program = $program and metric = $metric)
        order by segment = $segment
        """,
        {"program": program.program, "metric": program.objective.name, "segment": segment},
    ).fetchall()
    effects |= {tag: (mean, sd) for tag, mean, sd in rows if tag in effects}
    carried = dict(
        connection.execute(
            "select creative_id, list(tag) from ledger.creative_tags where source in ('extractor', 'design') group by creative_id"
        ).fetchall()
    )
    return prior_of([carried.get(arm.creative_id, []) for arm in arms], effects, policy["particular_variance"])


def _policy(connection: duckdb.DuckDBPyConnection) -> dict[str, float]:
    return dict(connection.execute("select name, value from policy.policy").fetchall())


def _draws(seed: int, *parts: object) -> np.random.Generator:
    digest = hashlib.sha256("/".join(str(part) for part in (seed, "allocation", *parts)).encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, dtype=np.uint32))
