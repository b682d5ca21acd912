"""What the warehouse says of a program's guardrails, and what follows: a ramp that advances, waits, or a program that is stopped.

Only verdicts are read (``marts.experiment_verdicts``, ``marts.experiment_health``); nothing is estimated here. What was launched before
a program was last resumed was looked at by whoever resumed it, and does not stop it again.
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
        status: ``healthy`` if some arm was judged and none harms; ``suspect`` if some harm, too few to blame the program;
            ``harmed`` if so many harm, or people did not reach the arms as planned; ``unknown`` while no arm has been judged.
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
    judged, harmful, metric = _arms(connection, program, since)
    if judged == 0:
        return Guard("unknown", "no arm has enough people for its guardrails to be judged yet", 0, 0)
    if harmful == 0:
        return Guard("healthy", f"{judged} arms were judged, none harms", judged, 0)
    limits = connection.execute(
        "select name, value from policy.policy where name in ('harm_stop_share', 'harm_stop_arms')"
    ).fetchall()
    least = dict(limits)
    is_harmed = harmful >= least["harm_stop_arms"] and harmful >= least["harm_stop_share"] * judged
    told = f"{harmful} of {judged} judged arms harm {metric}"
    return Guard("harmed" if is_harmed else "suspect", told, judged, harmful)


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
