"""Decisions on creatives: by the rules where they allow or block, else by somebody, each with actor, reason and code.

A rejection teaches the writer what not to write again. It is never a learning: nothing was measured.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.generate.creatives import PlannedCreative
from orchestration.learn.policy import policy
from orchestration.policy.facts import Stage, Value
from orchestration.policy.records import Judged
from orchestration.policy.rules import Rules
from orchestration.programs.definition import Program
from orchestration.records import Rejection

CODES: Final = (
    "off_tone", "untrue", "unclear", "pushy", "too_long", "offensive", "legal", "duplicate", "personal_data", "other",
)  # fmt: skip

_STRICT: Final = ("allow", "require_approval", "block")


def facts_of(program: Program, creative: PlannedCreative) -> dict[str, Value]:
    """What the rules of approval are told of a creative; see ``orchestration/policy/facts.py``."""
    draft = creative.draft
    return {
        "program": program.program,
        "channel": program.channel,
        "approval": program.approval,
        "dry_run": program.dry_run,
        "segment": creative.segment,
        "role": creative.arm.role,
        "text": draft.text,
        "length": len(draft.text),
        "generator": draft.generator,
        "is_fallback": draft.is_fallback,
        "cost_usd": draft.usage.cost_usd,
    }


def judged(
    program: Program,
    written: Sequence[PlannedCreative],
    rules: Rules,
    screened: Mapping[str, Mapping[str, Value]] = MappingProxyType({}),
) -> list[Judged]:
    """What the rules say of each creative: those of approval, and those of screening where its text was looked into.

    Args:
        screened: Creative -> every fact that the rules of screening read.
    """
    judgements = []
    for creative in written:
        found = screened.get(creative.creative_id)
        facts = facts_of(program, creative) | dict(found or {})
        stages: tuple[Stage, ...] = ("approval",) if found is None else ("screening", "approval")
        judgements += [Judged(creative.creative_id, program.program, rules.judge(stage, facts)) for stage in stages]
    return judgements


def approval_rows(judgements: Sequence[Judged], now: dt.datetime) -> list[dict[str, Any]]:
    """Rows of ``ledger.approvals`` for what the rules decided by themselves; the others wait for somebody.

    The strictest stage decides: a block rejects, and only a creative that every stage allows is approved.
    """
    strictest: dict[str, Judged] = {}
    for one in judgements:
        known = strictest.get(one.subject)
        if known is None or _STRICT.index(one.judgement.decision) >= _STRICT.index(known.judgement.decision):
            strictest[one.subject] = one
    decisions = {"allow": "approved", "block": "rejected"}
    return [
        {
            "creative_id": one.subject,
            "decision": decisions[one.judgement.decision],
            "actor": "policy",
            "reason": f"{one.judgement.rule}: {one.judgement.reason}",
            "reason_code": one.judgement.code,
            "recorded_at": now,
        }
        for one in strictest.values()
        if one.judgement.decision in decisions
    ]


def waiting(warehouse: Warehouse, program: str | None = None) -> list[dict[str, Any]]:
    """Creatives of sends not launched yet that nobody decided on, in the order of their places, with the rule that withheld them."""
    return warehouse.rows(
        """
        select plans.program, plans.cycle, plans.send_number, plans.segment, plans.role, plans.creative_id, creatives.text,
            creatives.is_fallback,
            coalesce(max_by(judgements.rule || ': ' || judgements.reason, judgements.recorded_at), 'not judged') as waits_because
        from ledger.current_plans as plans
        inner join ledger.creatives as creatives on plans.creative_id = creatives.creative_id
        left join ledger.decisions as decisions on plans.creative_id = decisions.creative_id
        left join ledger.experiments as experiments
            on plans.program = experiments.program and plans.cycle = experiments.cycle
            and plans.send_number = experiments.send_number
        left join ledger.judgements as judgements on plans.creative_id = judgements.subject and judgements.decision = 'require_approval'
        where decisions.creative_id is null and experiments.experiment_id is null and plans.planned_share > 0
            and ($program is null or plans.program = $program)
        group by all
        order by plans.program, plans.cycle, plans.send_number, plans.segment, plans.creative_id
        """,
        {"program": program},
    )


def decide(
    warehouse: Warehouse,
    creative: str,
    decision: str,
    actor: str,
    reason: str,
    now: dt.datetime,
    *,
    code: str | None = None,
    program: str | None = None,
) -> list[str]:
    """Records a decision on one creative, on ``all`` that wait, or on an experiment whose sending waits; returns the ids decided on.

    Args:
        code: Why, in one of ``CODES``; a rejection without one is ``other``.
        program: Decide on ``all`` of this program alone.

    Raises:
        Refusal: if the id or the code is unknown, no reason is given, none waits, or the creative was sent already, was replaced, or
            is a program's own text.
    """
    require_reason(reason)
    if code is not None and code not in CODES:
        raise Refusal(f"reason code {code}", "is unknown", f"Choose one of {', '.join(CODES)}.")
    if creative == "all":
        chosen = [str(row["creative_id"]) for row in waiting(warehouse, program)]
        if not chosen:
            raise Refusal(
                "all", "none waits for a decision", "`loop run` writes creatives; `loop approvals` lists them."
            )
    else:
        _require_open(warehouse, creative, decision)
        chosen = [creative]
    given = code or ("other" if decision == "rejected" else None)
    warehouse.append(
        {
            "ledger.approvals": [
                {
                    "creative_id": creative_id,
                    "decision": decision,
                    "actor": actor,
                    "reason": reason,
                    "reason_code": given,
                    "recorded_at": now,
                }
                for creative_id in chosen
            ]
        }
    )
    return chosen


def require_reason(reason: str) -> None:
    """Refuses a decision that nobody could understand later.

    Raises:
        Refusal: if the reason is empty.
    """
    if not reason.strip():
        raise Refusal("--reason", "is empty", "Say why in a few words; it is kept.")


def rejections(warehouse: Warehouse, program: str) -> tuple[Rejection, ...]:
    """The latest rejected texts of a program, the newest first, for the next request to its writer."""
    rows = warehouse.rows(
        """
        select creatives.text, decisions.reason_code, decisions.reason
        from ledger.decisions as decisions
        inner join ledger.creatives as creatives on decisions.creative_id = creatives.creative_id
        where creatives.program = $program and decisions.decision = 'rejected'
        order by decisions.recorded_at desc, creatives.creative_id
        limit $most
        """,
        {"program": program, "most": int(policy()["rejections_told"])},
    )
    return tuple(Rejection(row["text"], row["reason_code"] or "other", row["reason"]) for row in rows)


def _require_open(warehouse: Warehouse, creative: str, decision: str) -> None:
    rows = warehouse.rows(
        """
        select any_value(creatives.role) as role, count(arms.creative_id) as sends
        from ledger.creatives as creatives
        left join ledger.arms as arms on creatives.creative_id = arms.creative_id
        where creatives.creative_id = ?
        group by creatives.creative_id
        """,
        [creative],
    )
    batches = "select 1 from ledger.judgements where stage = 'sending' and starts_with(subject, $id || '/') limit 1"
    if not rows and warehouse.rows(batches, {"id": creative}):
        return
    if not rows:
        raise Refusal(
            creative, "is not a creative of this warehouse", "`loop approvals` lists the creatives that wait."
        )
    if decision == "rejected" and rows[0]["sends"]:
        raise Refusal(creative, "is being sent already", "`loop rollback PROGRAM` or `loop stop PROGRAM` ends that.")
    if decision == "rejected" and rows[0]["role"] == "baseline":
        raise Refusal(
            creative, "is its program's own text", "Change `baseline` in the program's file, or use `loop stop`."
        )
    plans = "select max(planned_share) as share from ledger.current_plans where creative_id = ?"
    if not rows[0]["sends"] and not warehouse.rows(plans, [creative])[0]["share"]:
        reason = "takes part in no send any more: another text has its slot, or its arm was dropped"
        raise Refusal(creative, reason, "`loop approvals` lists the creatives that wait.")
