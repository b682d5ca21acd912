"""What the warehouse says of a program's guardrails, and what follows: a ramp that advances, waits, or a program that is stopped.

Only verdicts are read (``marts.experiment_verdicts``, ``marts.experiment_health``, ``marts.experiment_complaints``), nothing is
estimated here. What was launched before a program was last resumed was looked at by whoever resumed it, and does not stop it again.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import duckdb

from orchestration.deploy.switches import EVERYTHING, Switch
from orchestration.programs.definition import Program


@dataclass(frozen=True, slots=True)
class Guard:
    """The guardrails of a program's latest judged cycle.

    Attributes:
        status: ``healthy`` if every guardrail was judged, none is harmed and harm beyond its margin is ruled out for each arm that
            could be judged; ``suspect`` if some arms harm or are complained about, too few to blame the program; ``harmed`` if so
            many do, if the baseline is complained about (there is nothing else to fall back on), or if people did not reach the
            arms as planned; ``unknown`` while a guardrail was not judged or harm is not ruled out.
        judged, harmful: Arms of the cycle that could be judged, and those found harmful.
    """

    status: Literal["healthy", "suspect", "harmed", "unknown"]
    reason: str
    judged: int
    harmful: int


_FINDINGS: dict[str, Literal["harm", "doubt", "clear"]] = {
    "stopped_for_harm": "harm",
    "withheld": "doubt",
    "pass": "clear",
}
_EVER = dt.datetime.fromisoformat("0001-01-01")
UNKNOWN = Guard("unknown", "nobody has looked", 0, 0)


def guard_of(connection: duckdb.DuckDBPyConnection, program: Program, switches: list[Switch]) -> Guard:
    """Reads the guardrails of the latest cycle that has been judged since the program was last resumed."""
    since = max(
        (
            dt.datetime.fromisoformat(switch.recorded_at)
            for switch in switches
            if switch.state == "running" and switch.scope in (program.program, EVERYTHING)
        ),
        default=_EVER,
    )
    broken = _broken(connection, program, since)
    if broken:
        return Guard("harmed", f"{broken[0]}: {broken[1]}", 0, 0)
    complained = _complained(connection, program, since)
    if complained and complained.status == "harmed":
        return complained
    return _judged(connection, program, _latest(_arms(connection, program, since)), complained)


def _judged(
    connection: duckdb.DuckDBPyConnection, program: Program, arms: "list[_Arm]", complained: Guard | None
) -> Guard:
    """What the judged arms say: harm first, by cycle; then whether anything is left to be ruled out."""
    for cycle in sorted({arm.cycle for arm in arms}, reverse=True):
        judged = {arm.place for arm in arms if arm.cycle == cycle}
        harmful = {arm.place for arm in arms if arm.cycle == cycle and arm.finding == "harm"}
        if harmful:
            metrics = sorted({arm.metric for arm in arms if arm.cycle == cycle and arm.finding == "harm"})
            told = f"{len(harmful)} of {len(judged)} judged arms harm {', '.join(metrics)}"
            is_harmed = _are_too_many(connection, len(harmful), len(judged))
            return Guard("harmed" if is_harmed else "suspect", told, len(judged), len(harmful))
    everybody = {arm.place for arm in arms}
    if complained:
        return complained
    if not arms:
        return Guard("unknown", "no arm has enough people for its guardrails to be judged yet", 0, 0)
    guardrails = [metric.name for metric in program.metrics if metric.role == "guardrail"]
    waiting = [name for name in guardrails if name not in {arm.metric for arm in arms}]
    if waiting:
        return Guard("unknown", f"{', '.join(waiting)} could not be judged yet", len(everybody), 0)
    doubtful = [arm for arm in arms if arm.finding == "doubt"]
    if doubtful:
        told = (
            f"harm of {', '.join(sorted({arm.metric for arm in doubtful}))} beyond the margin is not ruled out for "
            f"{len({arm.place for arm in doubtful})} of {len(everybody)} judged arms"
        )
        return Guard("unknown", told, len(everybody), 0)
    return Guard("healthy", f"{len(everybody)} arms were judged, none harms", len(everybody), 0)


def _are_too_many(connection: duckdb.DuckDBPyConnection, harmful: int, arms: int) -> bool:
    """Whether so many arms harm that it is the program's fault and not that of a text."""
    limits = connection.execute(
        "select name, value from policy.policy where name in ('harm_stop_share', 'harm_stop_arms')"
    ).fetchall()
    least = dict(limits)
    return bool(harmful >= least["harm_stop_arms"] and harmful >= least["harm_stop_share"] * arms)


def _complained(connection: duckdb.DuckDBPyConnection, program: Program, since: dt.datetime) -> Guard | None:
    """What complaints over the limit say of the latest cycle that has any; None without any, or where a later cycle was judged."""
    rows = connection.execute(
        """
        with arms as (
            select complaints.*
            from marts.experiment_complaints as complaints
            inner join ledger.experiments as experiments on complaints.experiment_id = experiments.experiment_id
            where complaints.program = $program and experiments.starts_at > $since and complaints.people > 0
        ),
        judged as (
            select max(experiments.cycle) as cycle
            from marts.experiment_verdicts as verdicts
            inner join ledger.experiments as experiments on verdicts.experiment_id = experiments.experiment_id
            where verdicts.program = $program and verdicts.metric_role = 'guardrail' and verdicts.difference_low is not null
        ),
        latest as (select max(launched_in_cycle) as cycle from arms where is_stopped)
        select arms.creative_id, arms.role, arms.is_stopped, arms.stopped_reason
        from arms
        inner join latest on arms.launched_in_cycle = latest.cycle
        cross join judged
        where judged.cycle is null or arms.launched_in_cycle >= judged.cycle
        order by arms.role <> 'baseline', arms.complaint_rate desc, arms.creative_id
        """,
        {"program": program.program, "since": since},
    ).fetchall()
    stopped = [(creative, role, reason) for creative, role, is_stopped, reason in rows if is_stopped]
    if not stopped:
        return None
    creative, role, reason = stopped[0]
    told = f"{len(stopped)} of {len(rows)} creatives were stopped for complaints, {role} {creative}: {reason}"
    is_harmed = role == "baseline" or _are_too_many(connection, len(stopped), len(rows))
    return Guard("harmed" if is_harmed else "suspect", told, len(rows), len(stopped))


def _broken(connection: duckdb.DuckDBPyConnection, program: Program, since: dt.datetime) -> tuple[str, str] | None:
    """An experiment whose people did not reach the arms in the planned shares, and why; the latest one."""
    row = connection.execute(
        """
        select health.experiment_id, max_by(health.reason, health.cycle)
        from marts.experiment_health as health
        inner join ledger.experiments as experiments on health.experiment_id = experiments.experiment_id
        where health.program = $program and experiments.starts_at > $since
        group by health.experiment_id
        having max_by(health.status, health.cycle) = 'unhealthy'
        order by max(experiments.starts_at) desc
        limit 1
        """,
        {"program": program.program, "since": since},
    ).fetchone()
    return (str(row[0]), str(row[1])) if row else None


@dataclass(frozen=True, slots=True)
class _Arm:
    """What the latest verdict on one guardrail of one arm comes to; ``place`` is the experiment, segment and creative."""

    cycle: int
    place: tuple[str, str, str]
    metric: str
    finding: Literal["harm", "doubt", "clear"]


def _latest(arms: Sequence[_Arm]) -> list[_Arm]:
    """Of each guardrail the arms of the latest cycle in which it was judged: one with a long window is judged later than the others."""
    latest: dict[str, int] = {}
    for arm in arms:
        latest[arm.metric] = max(arm.cycle, latest.get(arm.metric, arm.cycle))
    return [arm for arm in arms if arm.cycle == latest[arm.metric]]


def _arms(connection: duckdb.DuckDBPyConnection, program: Program, since: dt.datetime) -> list[_Arm]:
    """Arms with people enough for a guardrail to be judged. The holdout is none: it gets nothing, so it can neither harm nor clear.

    Where people are enough and events too few for an interval (``not_enough_data``), what was seen decides: an arm is clear unless it
    is worse than the baseline by more than the margin. Else a ramp would wait for ever because nobody unsubscribes.
    """
    rows = connection.execute(
        """
        with latest as (
            select experiments.cycle as launched_in, verdicts.experiment_id, verdicts.segment, verdicts.creative_id, verdicts.metric,
                max_by(verdicts.verdict, verdicts.cycle) as verdict,
                max_by(verdicts.difference, verdicts.cycle) as difference,
                max_by(least(verdicts.n, verdicts.baseline_n), verdicts.cycle) as people
            from marts.experiment_verdicts as verdicts
            inner join ledger.experiments as experiments on verdicts.experiment_id = experiments.experiment_id
            where verdicts.program = $program and verdicts.metric_role = 'guardrail' and experiments.starts_at > $since
                and verdicts.creative_id <> 'holdout' and verdicts.difference_low is not null
                and verdicts.verdict in ('pass', 'withheld', 'stopped_for_harm', 'not_enough_data')
            group by all
        )
        select launched_in, experiment_id, segment, creative_id, metric, verdict, difference
        from latest
        where verdict <> 'not_enough_data'
            or people >= coalesce($people, (select value from policy.policy where name = 'min_units_per_arm'))
        """,
        {"program": program.program, "since": since, "people": program.thresholds.min_units_per_arm},
    ).fetchall()
    margins = {
        metric.name: (1 if metric.harm == "up" else -1, metric.margin or 0.0)
        for metric in program.metrics
        if metric.role == "guardrail"
    }
    arms = []
    for cycle, experiment_id, segment, creative_id, metric, verdict, difference in rows:
        finding = _FINDINGS.get(verdict)
        if finding is None:
            sign, margin = margins.get(metric, (1, 0.0))
            finding = "clear" if sign * difference <= margin else "doubt"
        arms.append(_Arm(int(cycle), (experiment_id, segment, creative_id), metric, finding))
    return arms
