"""Asks the rules of sending before every batch, and keeps what they said."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence

import duckdb

from orchestration.deploy.assignment import Arm
from orchestration.deploy.guarding import Guard
from orchestration.deploy.reach import Reach
from orchestration.policy.facts import Value
from orchestration.policy.rules import Judgement, Rules
from orchestration.programs.definition import Program


def may_send(
    connection: duckdb.DuckDBPyConnection,
    program: Program,
    experiment_id: str,
    batch: int,
    arms: Mapping[str, Sequence[Arm]],
    reach: Reach,
    guard: Guard,
    rules: Rules,
    now: dt.datetime,
) -> bool:
    """Whether a batch may go out: the rules allow it, or they ask for approval and somebody approved the experiment by its id."""
    facts: dict[str, Value] = {
        "program": program.program,
        "channel": program.channel,
        "approval": program.approval,
        "dry_run": program.dry_run,
        "batch": batch,
        "people": _people(connection, program, list(arms)),
        "ramp_share": reach.ramp_share,
        "guardrails": guard.status,
        "weeks_needed": _weeks(connection, experiment_id),
    }
    judgement = rules.judge("sending", facts)
    _record(connection, program, f"{experiment_id}/{batch}", judgement, rules, now)
    if judgement.decision == "require_approval":
        row = connection.execute(
            "select decision from ledger.decisions where creative_id = ?", [experiment_id]
        ).fetchone()
        return row == ("approved",)
    return judgement.decision == "allow"


def _people(connection: duckdb.DuckDBPyConnection, program: Program, segments: list[str]) -> int:
    row = connection.execute(
        "select count(*) from marts.program_audience where program = $program and segment in (select unnest($segments))",
        {"program": program.program, "segments": segments},
    ).fetchone()
    return int(row[0]) if row else 0


def _weeks(connection: duckdb.DuckDBPyConnection, experiment_id: str) -> float | None:
    """Weeks of the latest power check of the program whose experiment this is; null where it could not say."""
    program, cycle, _ = experiment_id.rsplit("-", 2)
    row = connection.execute(
        "select weeks from ledger.power_checks where program = ? and cycle <= ? order by cycle desc limit 1",
        [program, int(cycle)],
    ).fetchone()
    return None if row is None else row[0]


def _record(
    connection: duckdb.DuckDBPyConnection,
    program: Program,
    subject: str,
    judgement: Judgement,
    rules: Rules,
    now: dt.datetime,
) -> None:
    """Keeps a judgement unless the last one of the batch was the same; a batch that is held back is asked again by every run."""
    last = connection.execute(
        """
        select decision, rule, rules_version from ledger.judgements
        where stage = 'sending' and subject = ? order by recorded_at desc, rowid desc limit 1
        """,
        [subject],
    ).fetchone()
    if last == (judgement.decision, judgement.rule, judgement.version):
        return
    connection.execute(
        "insert into ledger.rule_sets select $version, $rules, $now where $version not in (select version from ledger.rule_sets)",
        {"version": rules.version, "rules": rules.canonical_json, "now": now},
    )
    facts = json.dumps(dict(judgement.facts), sort_keys=True)
    decided = [judgement.decision, judgement.rule, judgement.code, judgement.reason, judgement.version]
    connection.execute(
        "insert into ledger.judgements values ('sending', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [subject, program.program, *decided, facts, now],
    )
