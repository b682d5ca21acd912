"""Generates one cycle's creatives and remembers them: texts, tags, plan and approvals in one transaction."""

import datetime as dt
from collections.abc import Mapping

from orchestration.edges.warehouse import Warehouse
from orchestration.generate.creatives import PlannedCreative, creative_rows, tag_rows, write_cycle
from orchestration.generate.generators import Generator
from orchestration.learn.proven import Proven, proven_texts
from orchestration.learn.reading import policy_values, posteriors_as_of, sent_texts
from orchestration.learn.taxonomy import Taxonomy
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
) -> list[dict[str, object]]:
    """Writes the cycle's creatives unless they exist; returns their rows (send, segment, role, text, decision).

    Approval: a program with ``approval: automatic`` approves by policy; otherwise creatives wait for ``loop approve``.
    """
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
        written = write_cycle(program, cycle, briefs, posteriors, generator, used=used, seed=seed, proven=proven)
        _record(warehouse, program, cycle, briefs, written, taxonomy, now)
    return warehouse.rows(
        """
        select plans.send_number, plans.segment, plans.role, creatives.text, creatives.is_fallback,
            coalesce(max_by(approvals.decision, approvals.recorded_at), 'waiting') as decision
        from ledger.plans as plans
        inner join ledger.creatives as creatives on plans.creative_id = creatives.creative_id
        left join ledger.approvals as approvals on plans.creative_id = approvals.creative_id
        where plans.program = $program and plans.cycle = $cycle
        group by all
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
    approvals = [
        {
            "creative_id": creative.creative_id,
            "decision": "approved",
            "actor": "policy",
            "reason": "the program approves automatically"
            if program.approval == "automatic"
            else "the baseline is the program's own text",
            "recorded_at": now,
        }
        for creative in written
        if program.approval == "automatic" or creative.arm.role == "baseline"
    ]
    warehouse.append(
        {
            "ledger.creatives": creative_rows(written, briefs, now),
            "ledger.creative_tags": tag_rows(written, taxonomy, frozenset(element.tag for element in program.elements)),
            "ledger.plans": plans,
            "ledger.approvals": approvals,
        }
    )
