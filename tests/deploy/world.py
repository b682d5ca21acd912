"""A warehouse with what a launch needs and nothing else: an audience, a plan of two segments, and verdicts as the tests want them."""

import datetime as dt
from pathlib import Path
from typing import Any

from orchestration.deploy.channels import HandoverFiles
from orchestration.deploy.launching import Launched, launch_program
from orchestration.edges.clock import cycle_of
from orchestration.edges.warehouse import Warehouse
from orchestration.learn.policy import policy
from orchestration.policy.rules import Rules
from orchestration.programs.definition import Program

MONDAY = dt.datetime.fromisoformat("2026-02-02T05:00:00")
WEEK = dt.timedelta(weeks=1)
SEGMENTS = ("new", "loyal")
PROGRAMS = ("news", "winback", "late")
SHARES = {"baseline": 0.2, "exploit": 0.5, "explore": 0.3}
RULES = Rules.load()


def program_of(name: str = "news", **experiments: Any) -> Program:
    """One send a week to two segments, allowed to send."""
    return Program.model_validate(
        {
            "program": name,
            "description": "A send a week.",
            "segments": list(SEGMENTS),
            "metrics": [
                {"name": "click", "event": "Email Link Clicked", "within_days": 2, "role": "objective"},
                {
                    "name": "leave", "event": "Unsubscribed", "within_days": 2,
                    "role": "guardrail", "harm": "up", "margin": 0.01,
                },
            ],
            "tags": ["question"],
            "baseline": "The letter",
            "experiments": {"sends_per_cycle": 1, "holdout_share": 0.1, **experiments},
            "first_cycle": "2026-01-05",
            "dry_run": False,
        }
    )  # fmt: skip


def warehouse_in(folder: Path, people: int = 6000) -> Warehouse:
    """An audience of two segments, the policy, and marts without a verdict."""
    warehouse = Warehouse(folder)
    warehouse.migrate()
    with warehouse.connect() as connection:
        connection.execute("create schema marts; create schema policy")
        connection.execute("create table policy.policy (name varchar, value double)")
        connection.executemany("insert into policy.policy values (?, ?)", [list(row) for row in policy().items()])
        connection.execute(
            f"""
            create table marts.program_audience as
            select programs.program, 'u' || range as user_id, {list(SEGMENTS)}[range % 2 + 1] as segment
            from range({people}) cross join (select unnest({list(PROGRAMS)}) as program) as programs
            """
        )
        connection.execute(
            """
            create table marts.experiment_health (program varchar, experiment_id varchar, cycle bigint, status varchar,
                reason varchar)
            """
        )
        connection.execute(
            """
            create table marts.experiment_verdicts (program varchar, metric varchar, experiment_id varchar, segment varchar,
                creative_id varchar, cycle bigint, metric_role varchar, verdict varchar, difference_low double,
                difference double, n double, baseline_n double)
            """
        )
        connection.execute(
            """
            create table marts.experiment_complaints (program varchar, experiment_id varchar, creative_id varchar, role varchar,
                launched_in_cycle bigint, people bigint, complaint_rate double, is_stopped boolean, stopped_reason varchar)
            """
        )
    return warehouse


def plan(warehouse: Warehouse, program: Program, week: int = 0, *, decided: bool = True, send: int = 1) -> None:
    """The plan of one of a week's sends, approved."""
    cycle, at = cycle_of((MONDAY + week * WEEK).date(), "weekly"), MONDAY + week * WEEK
    plans, creatives, approvals = [], [], []
    for segment in SEGMENTS:
        for number, (role, share) in enumerate(SHARES.items()):
            name = f"{program.program}-{cycle}-{segment}-{role}{send if send > 1 else ''}"
            place = {"program": program.program, "cycle": cycle, "segment": segment, "role": role, "recorded_at": at}
            plans.append(
                place
                | {
                    "creative_id": name,
                    "send_number": send,
                    "arm_number": number,
                    "planned_share": share,
                    "revision": 0,
                }
            )
            written = {
                "text": name,
                "tags_asked": [],
                "generator": "offline",
                "learnings_used": [],
                "is_fallback": False,
            }
            creatives.append(place | written | {"creative_id": name})
            if decided or role == "baseline":
                approvals.append(
                    {"creative_id": name, "decision": "approved", "actor": "a", "reason": "b", "recorded_at": at}
                )
    warehouse.append({"ledger.plans": plans, "ledger.creatives": creatives, "ledger.approvals": approvals})


def launch(
    warehouse: Warehouse,
    program: Program,
    week: int = 0,
    *,
    among: tuple[Program, ...] = (),
    rules: Rules = RULES,
    hours: int = 0,
) -> Launched:
    """One week's launch."""
    now = MONDAY + week * WEEK + dt.timedelta(hours=hours)
    day = (MONDAY + week * WEEK).date()
    channel = HandoverFiles(warehouse.folder / "outbox")
    cycle = cycle_of(day, "weekly")
    return launch_program(warehouse, program, (program, *among), cycle, day, channel, now, seed=1, rules=rules)


def judge(
    warehouse: Warehouse,
    program: Program,
    week: int,
    verdict: str,
    *,
    arms: int = 4,
    harmful: int = 0,
    health: str = "healthy",
    metric: str = "leave",
    difference: float = 0.0,
    people: int = 900,
    holdout: str | None = None,
) -> None:
    """What the marts would say of a week's send at the next look: so many arms with a verdict, and so many that harm.

    Args:
        holdout: Verdict on the people who get nothing, if there is one.
    """
    cycle = cycle_of((MONDAY + week * WEEK).date(), "weekly")
    experiment, look = f"{program.program}-{cycle}-1", cycle + 1
    names = [
        (segment, f"{program.program}-{cycle}-{segment}-{role}")
        for segment in SEGMENTS
        for role in ("exploit", "explore")
    ]
    told = [(*place, "stopped_for_harm" if at < harmful else verdict) for at, place in enumerate(names[:arms])]
    told += [(SEGMENTS[0], "holdout", holdout)] if holdout else []
    rows = [
        [
            program.program,
            metric,
            experiment,
            segment,
            name,
            look,
            "guardrail",
            said,
            difference,
            difference,
            people,
            people,
        ]
        for segment, name, said in told
    ]
    with warehouse.connect() as connection:
        if rows:
            connection.executemany(
                "insert into marts.experiment_verdicts values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
            )
        reason = None if health == "healthy" else "sample ratio mismatch"
        connection.execute(
            "insert into marts.experiment_health values (?, ?, ?, ?, ?)",
            [program.program, experiment, look, health, reason],
        )
