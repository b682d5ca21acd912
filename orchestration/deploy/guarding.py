"""What the warehouse says of a program's guardrails, and what follows: a ramp that advances, waits, or a program that is stopped.

Only verdicts are read (``marts.experiment_verdicts``, ``marts.experiment_health``, ``marts.experiment_complaints``), nothing is
estimated here. What was launched before a program was last resumed was looked at by whoever resumed it, and does not stop it again.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

import duckdb

from orchestration.deploy.switches import EVERYTHING, Switch
from orchestration.programs.definition import Program


@dataclass(frozen=True, slots=True)
class Guard:
    """The guardrails of a program's latest judged cycle.

    Attributes:
        status: ``healthy`` if some arm was judged and none harms; ``suspect`` if some harm or are complained about, too few to
            blame the program; ``harmed`` if so many do, if the baseline is complained about (there is nothing else to fall back
            on), or if people did not reach the arms as planned; ``unknown`` while no arm has been judged.
        judged, harmful: Arms of the cycle that could be judged, and those found harmful.
    """

    status: Literal["healthy", "suspect", "harmed", "unknown"]
    reason: str
    judged: int
    harmful: int


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
    judged, harmful, metric = _arms(connection, program, since)
    if harmful == 0 and complained:
        return complained
    if judged == 0:
        return Guard("unknown", "no arm has enough people for its guardrails to be judged yet", 0, 0)
    if harmful == 0:
        return Guard("healthy", f"{judged} arms were judged, none harms", judged, 0)
    told = f"{harmful} of {judged} judged arms harm {metric}"
    return Guard("harmed" if _are_too_many(connection, harmful, judged) else "suspect", told, judged, harmful)


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


def _arms(connection: duckdb.DuckDBPyConnection, program: Program, since: dt.datetime) -> tuple[int, int, str]:
    """Judged and harmful arms of the latest judged cycle, and the metrics that are harmed."""
    row = connection.execute(
        """
        with latest as (
            select experiments.cycle as launched_in, verdicts.experiment_id, verdicts.segment, verdicts.creative_id, verdicts.metric,
                max_by(verdicts.verdict, verdicts.cycle) as verdict
            from marts.experiment_verdicts as verdicts
            inner join ledger.experiments as experiments on verdicts.experiment_id = experiments.experiment_id
            where verdicts.program = $program and verdicts.metric_role = 'guardrail' and experiments.starts_at > $since
                and verdicts.difference_low is not null and verdicts.verdict in ('pass', 'withheld', 'stopped_for_harm')
            group by all
        )
        select count(distinct (experiment_id, segment, creative_id)),
            count(distinct case when verdict = 'stopped_for_harm' then (experiment_id, segment, creative_id) end),
            string_agg(distinct case when verdict = 'stopped_for_harm' then metric end, ', ')
        from latest
        where launched_in = (select max(launched_in) from latest)
        """,
        {"program": program.program, "since": since},
    ).fetchone()
    return (int(row[0]), int(row[1]), str(row[2] or "")) if row else (0, 0, "")
