"""A rejected creative does not hold its send back: before the launch its slot is filled anew, or its arm is dropped.

Both are revisions of the plan. A dropped arm's share goes to the other arms in proportion, and is stated before anybody is assigned;
once a send is launched its plan stays as it is. A new text goes the same way as the first one: the same writer, the same facts of
screening, the same rules. What the rules block is replaced in its turn, until the slot has had as many texts as the policy allows.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.generate.approval import approval_rows, judged, rejections
from orchestration.generate.creatives import PlannedCreative, creative_id_of, creative_rows, tag_rows, without_learnings
from orchestration.generate.design import PlannedArm
from orchestration.generate.elements import text_before
from orchestration.generate.facts import fact_rows, facts_by_creative
from orchestration.generate.generators import Generator
from orchestration.generate.library import plain
from orchestration.generate.screening import Fact
from orchestration.learn.policy import policy
from orchestration.learn.taxonomy import Taxonomy
from orchestration.policy.records import ledger_rows
from orchestration.policy.rules import Rules
from orchestration.programs.definition import Program
from orchestration.records import Brief, CreativeRequest, Draft


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot of a plan as it holds now."""

    send_number: int
    segment: str
    arm_number: int
    creative_id: str
    role: Any
    planned_share: float
    flipped_tag: str | None
    revision: int
    text: str
    generator: str
    tags_asked: list[str]
    decision: str | None
    texts: int

    @property
    def is_rejected(self) -> bool:
        """Whether the slot holds a rejected creative; one that was dropped holds none any more."""
        return self.decision == "rejected" and self.planned_share > 0

    @property
    def place(self) -> tuple[int, str, int]:
        """Where the slot is in the cycle."""
        return self.send_number, self.segment, self.arm_number


def replace_rejected(
    warehouse: Warehouse,
    program: Program,
    cycle: int,
    briefs: Mapping[str, Brief],
    generator: Generator,
    taxonomy: Taxonomy,
    rules: Rules,
    *,
    now: dt.datetime,
) -> None:
    """Revises the plan of every send of the cycle that is not launched, until none of its slots holds a rejected creative."""
    while True:
        slots = _slots(warehouse, program.program, cycle)
        if not any(slot.is_rejected for slot in slots):
            return
        turned_down = rejections(warehouse, program.program)
        told = {segment: replace(brief, rejected=turned_down) for segment, brief in briefs.items()}
        _replace_once(warehouse, program, cycle, slots, told, generator, taxonomy, rules, now)


def _replace_once(
    warehouse: Warehouse,
    program: Program,
    cycle: int,
    slots: list[Slot],
    briefs: Mapping[str, Brief],
    generator: Generator,
    taxonomy: Taxonomy,
    rules: Rules,
    now: dt.datetime,
) -> None:
    """One new text, or none any more, for every slot whose creative is rejected; in one transaction with what the rules say of it."""
    texts = _texts(warehouse, program.program, cycle)
    used = {text for _, text in texts}
    filled: list[PlannedCreative] = []
    facts: dict[str, dict[str, Fact]] = {}
    revised: list[Slot] = []
    for group in sorted({(slot.send_number, slot.segment) for slot in slots}):
        members = [slot for slot in slots if (slot.send_number, slot.segment) == group]
        dropped: set[int] = set()
        for at, slot in enumerate(members):
            if not slot.is_rejected:
                continue
            draft = _redraft(program, cycle, slot, members, briefs[slot.segment], generator, frozenset(used))
            if draft is None:
                dropped.add(slot.arm_number)
                continue
            creative = _creative(program, cycle, slot, draft)
            had = [text for place, text in texts if place == slot.place]
            facts[creative.creative_id] = _facts(program, creative, taxonomy, used, members, had)
            used.add(draft.text)
            members[at] = replace(
                slot,
                creative_id=creative.creative_id,
                text=draft.text,
                generator=draft.generator,
                revision=slot.revision + 1,
            )
            filled.append(creative)
            revised.append(members[at])
        revised += _without(members, dropped) if dropped else []
    judgements = judged(program, filled, rules, facts)
    warehouse.append(
        {
            "ledger.creatives": creative_rows(filled, briefs, now),
            "ledger.creative_tags": tag_rows(filled, taxonomy, program.element_tags),
            "ledger.creative_facts": fact_rows(facts, taxonomy, now),
            "ledger.plans": [_plan_row(program, cycle, slot, now) for slot in revised],
            "ledger.approvals": approval_rows(judgements, now),
            **ledger_rows(warehouse, rules, judgements, now),
        }
    )


def _slots(warehouse: Warehouse, program: str, cycle: int) -> list[Slot]:
    rows = warehouse.rows(
        """
        select plans.send_number, plans.segment, plans.arm_number, plans.creative_id, plans.role, plans.planned_share,
            plans.flipped_tag, plans.revision, creatives.text, creatives.generator,
            creatives.tags_asked, decisions.decision,
            (
                select count(distinct tried.creative_id) from ledger.plans as tried
                where tried.program = plans.program and tried.cycle = plans.cycle and tried.send_number = plans.send_number
                    and tried.segment = plans.segment and tried.arm_number = plans.arm_number
            ) as texts
        from ledger.current_plans as plans
        inner join ledger.creatives as creatives on plans.creative_id = creatives.creative_id
        left join ledger.decisions as decisions on plans.creative_id = decisions.creative_id
        left join ledger.experiments as experiments
            on plans.program = experiments.program and plans.cycle = experiments.cycle
            and plans.send_number = experiments.send_number
        where plans.program = $program and plans.cycle = $cycle and experiments.experiment_id is null
        order by plans.send_number, plans.segment, plans.arm_number
        """,
        {"program": program, "cycle": cycle},
    )
    return [Slot(**row) for row in rows]


def _texts(warehouse: Warehouse, program: str, cycle: int) -> list[tuple[tuple[Any, Any, Any], str]]:
    """Every text the program ever had, with its slot of this cycle, or three times None."""
    rows = warehouse.rows(
        """
        select distinct plans.send_number, plans.segment, plans.arm_number, creatives.text
        from ledger.creatives as creatives
        left join ledger.plans as plans on creatives.creative_id = plans.creative_id and plans.cycle = $cycle
        where creatives.program = $program
        """,
        {"program": program, "cycle": cycle},
    )
    return [((row["send_number"], row["segment"], row["arm_number"]), str(row["text"])) for row in rows]


def _facts(
    program: Program,
    creative: PlannedCreative,
    taxonomy: Taxonomy,
    used: Collection[str],
    members: Sequence[Slot],
    had: Collection[str],
) -> dict[str, Fact]:
    """What screening finds in a new text.

    Arms of one send are twins by design, so those that stay are not among what it may not repeat. Its slot's own earlier texts are:
    they were turned down, and one that differs in signs alone is the same text, be it near its twin or not.

    Args:
        used: Every text the program ever had.
        had: Earlier texts of the slot.
    """
    standing = {slot.text for slot in members if not slot.is_rejected}
    facts = facts_by_creative(program, [creative], taxonomy, set(used) - standing)[creative.creative_id]
    said = _said(program, creative.draft.text)
    same = next((text for text in had if _said(program, text) == said), None)
    return facts | {"near_duplicate_of": facts["near_duplicate_of"] or same}


def _said(program: Program, text: str) -> str:
    """What its writer said: without the sentences of elements, case and signs."""
    return plain(text_before(text, program.elements))


def _redraft(
    program: Program,
    cycle: int,
    slot: Slot,
    members: list[Slot],
    brief: Brief,
    generator: Generator,
    avoid: frozenset[str],
) -> Draft | None:
    """Another text for the slot, bound to its request; None if it had as many as the policy allows, or there is no other."""
    if slot.role == "baseline" or slot.texts > policy()["slot_rewrites"]:
        return None
    fresh = (other.text for other in members if other.role == "exploit" and other.generator != "proven")
    twin = next(fresh, None) if slot.role == "explore" else None
    tags = frozenset(slot.tags_asked)
    request = CreativeRequest(program.program, cycle, slot.segment, slot.role, slot.arm_number, tags, twin)
    known = without_learnings(brief) if slot.role == "control" else brief
    try:
        drafts = generator.write([request], known, voice=program.voice, avoid=avoid)
    except Refusal:
        return None
    if len(drafts) != 1 or drafts[0].text in avoid:
        return None
    return replace(drafts[0], request=request)


def _creative(program: Program, cycle: int, slot: Slot, draft: Draft) -> PlannedCreative:
    arm = PlannedArm(slot.role, frozenset(slot.tags_asked), slot.planned_share, slot.flipped_tag)
    creative_id = creative_id_of(program, cycle, slot.send_number, slot.segment, slot.arm_number, draft)
    return PlannedCreative(creative_id, slot.send_number, slot.segment, arm, draft)


def _without(members: list[Slot], dropped: set[int]) -> list[Slot]:
    """Revisions that empty slots and state the shares of the others; with nothing left to compare the whole segment is left out."""
    kept = [slot for slot in members if slot.arm_number not in dropped and slot.planned_share > 0]
    roles = {slot.role for slot in kept}
    if "baseline" not in roles or roles == {"baseline"}:
        kept = []
    total = sum(slot.planned_share for slot in kept)
    shares = {slot.arm_number: slot.planned_share / total for slot in kept}
    return [
        replace(slot, planned_share=shares.get(slot.arm_number, 0.0), revision=slot.revision + 1)
        for slot in members
        if slot.planned_share > 0
    ]


def _plan_row(program: Program, cycle: int, slot: Slot, now: dt.datetime) -> dict[str, object]:
    return {
        "program": program.program,
        "cycle": cycle,
        "send_number": slot.send_number,
        "segment": slot.segment,
        "arm_number": slot.arm_number,
        "creative_id": slot.creative_id,
        "role": slot.role,
        "planned_share": slot.planned_share,
        "flipped_tag": slot.flipped_tag,
        "revision": slot.revision,
        "recorded_at": now,
    }
