"""Writes each segment's brief to the ledger, once a cycle, with what changed since the last one."""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import asdict

from orchestration.edges.warehouse import Warehouse
from orchestration.learn.briefing import as_json, brief_for, from_json, rendered
from orchestration.learn.changes import Change, changes_between
from orchestration.learn.reading import learnings_as_of, policy_values, posteriors_as_of
from orchestration.learn.worth import worth_of_knowing
from orchestration.programs.channel_limits import limits_of
from orchestration.programs.definition import Program
from orchestration.records import Brief


def write_briefs(warehouse: Warehouse, program: Program, cycle: int, now: dt.datetime) -> dict[str, Brief]:
    """Builds the briefs of one cycle; a cycle that was briefed before keeps what was written then.

    Returns:
        Segment -> brief.
    """
    written = stored_briefs(warehouse, program.program, cycle)
    missing = [segment for segment in program.segments if segment not in written]
    if not missing:
        return {segment: written[segment] for segment in program.segments}
    policy = policy_values(warehouse)
    learnings = learnings_as_of(warehouse, program.program, program.objective.name, cycle)
    posteriors = {
        (row.segment, row.tag): row
        for row in posteriors_as_of(warehouse, program.program, program.objective.name, cycle)
    }
    briefs = {}
    for segment in missing:
        known = {tag: posteriors.get((segment, tag), posteriors.get(("all", tag))) for tag in program.tags}
        briefs[segment] = brief_for(
            program.program,
            cycle,
            segment,
            learnings,
            steerable=program.tags,
            tokens=policy["brief_tokens"],
            doubt_share=policy["brief_doubt_share"],
            worth={tag: worth_of_knowing(row) for tag, row in known.items()},
            voice=program.voice,
            rules=rules_of(program),
        )
    before = last_briefs(warehouse, program.program, cycle)
    changes = {
        segment: changes_between(before.get(segment), brief, least=policy["brief_change"])
        for segment, brief in briefs.items()
    }
    warehouse.append({"ledger.briefs": _rows(briefs, changes, now)})
    return {segment: (written | briefs)[segment] for segment in program.segments}


def rules_of(program: Program) -> tuple[str, ...]:
    """What any text of a program must keep to, in words."""
    facts = [f"A figure may be used only as it stands in: {'; '.join(program.facts)}."] if program.facts else []
    must = [f"Every text carries: {'; '.join(program.disclosures)}."] if program.disclosures else []
    return (*limits_of(program.channel).in_words(), *facts, *must)


def stored_briefs(warehouse: Warehouse, program: str, cycle: int) -> dict[str, Brief]:
    """The briefs a cycle was given, by segment; none if it was not briefed yet."""
    rows = warehouse.rows(
        "select segment, brief from ledger.briefs where program = $program and cycle = $cycle order by segment",
        {"program": program, "cycle": cycle},
    )
    return {row["segment"]: from_json(row["brief"]) for row in rows}


def last_briefs(warehouse: Warehouse, program: str, cycle: int) -> dict[str, Brief]:
    """The latest brief of each segment before a cycle."""
    rows = warehouse.rows(
        """
        select segment, max_by(brief, cycle) as brief
        from ledger.briefs
        where program = $program and cycle < $cycle
        group by segment
        order by segment
        """,
        {"program": program, "cycle": cycle},
    )
    return {row["segment"]: from_json(row["brief"]) for row in rows}


def stored_changes(warehouse: Warehouse, program: str, cycle: int) -> dict[str, list[Change]]:
    """What changed with the briefs of a cycle, by segment."""
    rows = warehouse.rows(
        "select segment, changes from ledger.briefs where program = $program and cycle = $cycle",
        {"program": program, "cycle": cycle},
    )
    return {row["segment"]: [Change(**change) for change in json.loads(row["changes"] or "[]")] for row in rows}


def _rows(
    briefs: Mapping[str, Brief], changes: Mapping[str, list[Change]], now: dt.datetime
) -> list[dict[str, object]]:
    return [
        {
            "program": brief.program,
            "cycle": brief.cycle,
            "segment": segment,
            "brief": as_json(brief),
            "rendered": rendered(brief, changes=[str(change) for change in changes[segment]]),
            "recorded_at": now,
            "changes": json.dumps([asdict(change) for change in changes[segment]]),
        }
        for segment, brief in briefs.items()
    ]
