"""Writes each segment's brief and the sentences of its learnings to the ledger, once a cycle."""

import datetime as dt
import hashlib
import json
from dataclasses import asdict

from orchestration.edges.warehouse import Warehouse
from orchestration.learn.briefing import brief_for, rendered, sentence
from orchestration.learn.reading import learnings_as_of
from orchestration.programs.definition import Program
from orchestration.records import Brief

MOST = 12


def write_briefs(warehouse: Warehouse, program: Program, cycle: int, now: dt.datetime) -> dict[str, Brief]:
    """Builds the briefs of one cycle; a cycle that was briefed before keeps what was written then.

    Returns:
        Segment -> brief.
    """
    learnings = learnings_as_of(warehouse, program.program, program.objective.name, cycle)
    briefs = {
        segment: brief_for(program.program, cycle, segment, learnings, steerable=program.tags, most=MOST)
        for segment in program.segments
    }
    written = warehouse.rows(
        "select count(*) as briefs from ledger.briefs where program = $program and cycle = $cycle",
        {"program": program.program, "cycle": cycle},
    )
    if written[0]["briefs"] == 0:
        warehouse.append(
            {
                "ledger.briefs": [
                    {
                        "program": program.program,
                        "cycle": cycle,
                        "segment": segment,
                        "brief": json.dumps(asdict(brief), sort_keys=True),
                        "rendered": rendered(brief),
                        "recorded_at": now,
                    }
                    for segment, brief in briefs.items()
                ],
                "ledger.notes": [
                    {
                        "note_id": hashlib.sha256(f"{row.evidence_id}/{segment}".encode()).hexdigest(),
                        "program": program.program,
                        "cycle": cycle,
                        "segment": segment,
                        "evidence_id": row.evidence_id,
                        "sentence": sentence(row),
                        "writer": "template",
                        "recorded_at": now,
                    }
                    for segment, brief in briefs.items()
                    for row in brief.known
                ],
            }
        )
    return briefs
