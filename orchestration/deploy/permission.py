"""Asks the rules of sending before every batch, when it is dealt and again while its messages leave, and keeps what they said."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from orchestration.deploy.assignment import Arm
from orchestration.deploy.guarding import Guard, guard_of
from orchestration.deploy.queued import Message
from orchestration.deploy.reach import Reach
from orchestration.deploy.switches import known_switches
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.policy.facts import Value
from orchestration.policy.live import LiveRules
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
    """Whether a batch may be dealt: the rules allow it, or they ask for approval and somebody approved the experiment by its id."""
    facts = _facts(connection, program, experiment_id, batch, list(arms), reach.ramp_share, guard)
    judgement = rules.judge("sending", facts)
    _record(connection, program, f"{experiment_id}/{batch}", judgement, rules, now)
    return _is_allowed(connection, experiment_id, judgement)


@dataclass(frozen=True)
class Permission:
    """Asks for the batches whose messages are about to leave: a rule or a guardrail may have changed since they were dealt.

    Attributes:
        programs: Every configured program by its name.
        is_recorded: Whether judgements go to the ledger; a rehearsal leaves no trace.
    """

    warehouse: Warehouse
    programs: Mapping[str, Program]
    rules: LiveRules
    is_recorded: bool

    def has_changed(self) -> bool:
        """Whether the rules were changed since messages were last judged by them."""
        return self.rules.has_changed()

    def stopped(self, messages: Sequence[Message]) -> dict[str, str]:
        """Send id -> why its creative was stopped, for messages of creatives whose complaints are over the limit.

        The baseline is not among them: a program whose baseline is complained about is held back and stopped as a whole.

        Raises:
            Refusal: if the marts were never built.
        """
        if not messages:
            return {}
        try:
            with self.warehouse.connect() as connection:
                rows = connection.execute(
                    """
                    select experiment_id, creative_id, stopped_reason
                    from marts.experiment_complaints
                    where is_stopped and role <> 'baseline' and experiment_id in (select unnest($experiments))
                    """,
                    {"experiments": sorted({message.experiment_id for message in messages})},
                ).fetchall()
        except duckdb.CatalogException as error:
            raise _never_built() from error
        reasons = {(experiment_id, creative_id): reason for experiment_id, creative_id, reason in rows}
        places = {message.send_id: (message.experiment_id, message.creative_id) for message in messages}
        return {send_id: f"its creative was stopped: {reasons[at]}" for send_id, at in places.items() if at in reasons}

    def held(self, messages: Sequence[Message], now: dt.datetime) -> dict[str, str]:
        """Send id -> why it may not leave now, for messages whose batch the rules do not allow.

        Raises:
            Refusal: if the rules cannot be read, or the marts that they ask were never built.
        """
        if not messages:
            return {}
        rules = self.rules.current()
        with self.warehouse.connect() as connection:
            batch_of = _batches(connection, messages)
            program_of = {message.experiment_id: message.program for message in messages}
            reasons = {
                (experiment_id, batch): self._reason(
                    connection, program_of[experiment_id], experiment_id, batch, rules, now
                )
                for experiment_id, batch in sorted(set(batch_of.values()))
            }
        return {send_id: reason for send_id, place in batch_of.items() if (reason := reasons[place]) is not None}

    def _reason(
        self,
        connection: duckdb.DuckDBPyConnection,
        name: str,
        experiment_id: str,
        batch: int,
        rules: Rules,
        now: dt.datetime,
    ) -> str | None:
        """Why a batch may not leave; None if it may."""
        program = self.programs.get(name)
        if program is None:
            return f"held back: program {name} is not configured, so its rules cannot be asked"
        if program.dry_run:  # the ledger keeps what it said when its messages were dealt
            return f"held back: program {name} says dry_run: true"
        try:
            guard = guard_of(connection, program, known_switches(connection))
            segments, share = _launched(connection, experiment_id)
            judgement = rules.judge(
                "sending", _facts(connection, program, experiment_id, batch, segments, share, guard)
            )
        except duckdb.CatalogException as error:
            raise _never_built() from error
        if self.is_recorded:
            _record(connection, program, f"{experiment_id}/{batch}", judgement, rules, now)
        if _is_allowed(connection, experiment_id, judgement):
            return None
        needs = " (`loop approve` takes the experiment's id)" if judgement.decision == "require_approval" else ""
        return (
            f"held back: {experiment_id}, batch {batch}: rule {judgement.rule} of rules {judgement.version[:8]}: "
            f"{judgement.reason}{needs}"
        )


def _never_built() -> Refusal:
    return Refusal("rules of sending", "ask for marts that were never built", "`loop build` builds them.")


def _batches(connection: duckdb.DuckDBPyConnection, messages: Sequence[Message]) -> dict[str, tuple[str, int]]:
    """Send id -> experiment and batch; a post belongs to the first batch, and so does who was assigned before there were any."""
    rows = connection.execute(
        """
        select experiment_id, user_id, max(batch)
        from ledger.assignments
        where experiment_id in (select unnest($experiments)) and user_id in (select unnest($people))
        group by experiment_id, user_id
        """,
        {
            "experiments": sorted({message.experiment_id for message in messages}),
            "people": [message.user_id for message in messages if message.user_id is not None],
        },
    ).fetchall()
    known = {(experiment_id, user_id): batch for experiment_id, user_id, batch in rows}
    return {
        message.send_id: (message.experiment_id, int(known.get((message.experiment_id, message.user_id)) or 1))
        for message in messages
    }


def _launched(connection: duckdb.DuckDBPyConnection, experiment_id: str) -> tuple[list[str], float]:
    """Segments of an experiment, and the share of people its program's ramp let it reach."""
    segments = connection.execute(
        "select distinct segment from ledger.arms where experiment_id = ? order by segment", [experiment_id]
    ).fetchall()
    row = connection.execute(
        """
        select ramps.share
        from ledger.ramps as ramps
        inner join ledger.experiments as experiments on ramps.program = experiments.program and ramps.cycle <= experiments.cycle
        where experiments.experiment_id = ?
        order by ramps.cycle desc
        limit 1
        """,
        [experiment_id],
    ).fetchone()
    return [segment for (segment,) in segments], 1.0 if row is None else float(row[0])


def _facts(
    connection: duckdb.DuckDBPyConnection,
    program: Program,
    experiment_id: str,
    batch: int,
    segments: list[str],
    ramp_share: float,
    guard: Guard,
) -> dict[str, Value]:
    return {
        "program": program.program,
        "channel": program.channel,
        "approval": program.approval,
        "dry_run": program.dry_run,
        "batch": batch,
        "people": _people(connection, program, segments),
        "ramp_share": ramp_share,
        "guardrails": guard.status,
        "weeks_needed": _weeks(connection, experiment_id),
    }


def _is_allowed(connection: duckdb.DuckDBPyConnection, experiment_id: str, judgement: Judgement) -> bool:
    if judgement.decision != "require_approval":
        return judgement.decision == "allow"
    row = connection.execute("select decision from ledger.decisions where creative_id = ?", [experiment_id]).fetchone()
    return row == ("approved",)


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
