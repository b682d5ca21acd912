"""Generates one cycle's creatives and remembers them: texts, tags, plan and approvals in one transaction."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace

from orchestration.edges.warehouse import Warehouse
from orchestration.generate.approval import approval_rows, judged, rejections
from orchestration.generate.batching import BatchedCycle
from orchestration.generate.creatives import PlannedCreative, creative_rows, tag_rows, write_cycle
from orchestration.generate.facts import fact_rows, facts_by_creative
from orchestration.generate.generators import Generator
from orchestration.generate.replacing import replace_rejected
from orchestration.generate.screening import Fact
from orchestration.learn.proven import Proven, proven_texts
from orchestration.learn.reading import policy_values, posteriors_as_of, sent_texts
from orchestration.learn.taxonomy import Taxonomy
from orchestration.policy.records import ledger_rows
from orchestration.policy.rules import Rules
from orchestration.programs.definition import Program
from orchestration.records import Brief


def generate_cycle(
    warehouse: Warehouse,
    program: Program,
    cycle: int,
    briefs: Mapping[str, Brief],
    generator: Generator,
    taxonomy: Taxonomy,
    *,
    seed: int,
    now: dt.datetime,
    rules: Rules | None = None,
    batched: BatchedCycle | None = None,
) -> list[dict[str, object]]:
    """Writes the cycle's creatives unless they exist, then replaces what was rejected, by the rules too; returns their rows (send,
    segment, role, text, decision).

    Args:
        rules: Approve or reject what they say; everything else waits for ``loop approve``. None for those that ship.
        batched: Asks the model in batches first; while one is under way nothing is written, and there are no rows.
    """
    rules = rules or Rules.load()
    turned_down = rejections(warehouse, program.program)
    briefs = {segment: replace(brief, rejected=turned_down) for segment, brief in briefs.items()}
    known = {"program": program.program, "cycle": cycle}
    if not warehouse.rows("select 1 from ledger.plans where program = $program and cycle = $cycle limit 1", known):
        used = [
            row["text"]
            for row in warehouse.rows(
                "select distinct text from ledger.creatives where program = $program", {"program": program.program}
            )
        ]
        posteriors = posteriors_as_of(warehouse, program.program, program.objective.name, cycle)
        proven = _proven(warehouse, program, cycle) if program.experiments.resend else None

        def write(writer: Generator) -> list[PlannedCreative]:
            return write_cycle(program, cycle, briefs, posteriors, writer, used=used, seed=seed, proven=proven)

        if batched is not None and not batched.is_answered(write):
            return []
        written = write(generator)
        facts = facts_by_creative(program, written, taxonomy, used)
        _record(warehouse, program, cycle, briefs, written, taxonomy, facts, rules, now)
    replace_rejected(warehouse, program, cycle, briefs, generator, taxonomy, rules, now=now)
    return warehouse.rows(
        """
        select plans.send_number, plans.segment, plans.role, creatives.text, creatives.is_fallback,
            coalesce(decisions.decision, 'waiting') as decision
        from ledger.current_plans as plans
        inner join ledger.creatives as creatives on plans.creative_id = creatives.creative_id
        left join ledger.decisions as decisions on plans.creative_id = decisions.creative_id
        where plans.program = $program and plans.cycle = $cycle and plans.planned_share > 0
        order by plans.send_number, plans.segment, plans.role, creatives.text
        """,
        known,
    )


def _proven(warehouse: Warehouse, program: Program, cycle: int) -> Proven:
    policy = policy_values(warehouse)
    sent = sent_texts(warehouse, program.program, program.objective.name, cycle, int(policy["half_life_cycles"]))
    return proven_texts(program.tags, sent, policy)


def _record(
    warehouse: Warehouse,
    program: Program,
    cycle: int,
    briefs: Mapping[str, Brief],
    written: list[PlannedCreative],
    taxonomy: Taxonomy,
    facts: dict[str, dict[str, Fact]],
    rules: Rules,
    now: dt.datetime,
) -> None:
    numbers: dict[tuple[int, str], int] = {}
    plans = []
    for creative in written:
        place = (creative.send, creative.segment)
        numbers[place] = numbers.get(place, -1) + 1
        plans.append(
            {
                "program": program.program,
                "cycle": cycle,
                "send_number": creative.send,
                "segment": creative.segment,
                "arm_number": numbers[place],
                "creative_id": creative.creative_id,
                "role": creative.arm.role,
                "planned_share": creative.arm.share,
                "flipped_tag": creative.arm.flipped,
                "recorded_at": now,
            }
        )
    judgements = judged(program, written, rules, facts)
    warehouse.append(
        {
            "ledger.creatives": creative_rows(written, briefs, now),
            "ledger.creative_tags": tag_rows(written, taxonomy, program.element_tags),
            "ledger.creative_facts": fact_rows(facts, taxonomy, now),
            "ledger.plans": plans,
            "ledger.approvals": approval_rows(judgements, now),
            **ledger_rows(warehouse, rules, judgements, now),
        }
    )
