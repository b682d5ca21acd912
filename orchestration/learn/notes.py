"""Keeps the notes of a cycle in the ledger: each sentence with its evidence, and every operation a model proposed."""

import datetime as dt
import hashlib
from collections.abc import Mapping
from typing import Any

from orchestration.edges.warehouse import Warehouse
from orchestration.learn.phrases import Describer
from orchestration.learn.sentences import OfflineWriter
from orchestration.learn.wording import Asker, Kept, Worded, word
from orchestration.programs.definition import Program
from orchestration.records import Brief


def write_notes(
    warehouse: Warehouse,
    program: Program,
    cycle: int,
    briefs: Mapping[str, Brief],
    describer: Describer,
    asker: Asker | None,
    now: dt.datetime,
) -> dict[str, list[str]]:
    """Words the notes of one cycle; a cycle that has notes keeps them.

    Returns:
        Segment -> sentences, the most valuable learning first.
    """
    written = stored_sentences(warehouse, program.program, cycle)
    if written:
        return {segment: written.get(segment, []) for segment in briefs}
    writer = OfflineWriter(program, describer)
    sentences, notes, operations = {}, [], []
    for segment, brief in briefs.items():
        worded = word(brief, writer, _kept(warehouse, program.program, cycle, segment), asker)
        sentences[segment] = list(worded.sentences)
        notes += _note_rows(worded, brief, now)
        operations += _operation_rows(worded, brief, asker, now)
    warehouse.append({"ledger.notes": notes, "ledger.note_operations": operations})
    return sentences


def stored_sentences(warehouse: Warehouse, program: str, cycle: int) -> dict[str, list[str]]:
    """The sentences of a cycle, by segment, in the order they were written."""
    rows = warehouse.rows(
        """
        select segment, note_id, any_value(sentence) as sentence, min(rowid) as place
        from ledger.notes
        where program = $program and cycle = $cycle
        group by segment, note_id
        order by segment, place
        """,
        {"program": program, "cycle": cycle},
    )
    sentences: dict[str, list[str]] = {}
    for row in rows:
        sentences.setdefault(row["segment"], []).append(row["sentence"])
    return sentences


def _kept(warehouse: Warehouse, program: str, cycle: int, segment: str) -> list[Kept]:
    """A model's wordings of the segment's last cycle, with what they were about."""
    rows = warehouse.rows(
        """
        select notes.note_id, any_value(notes.template) as text, any_value(notes.writer) as writer,
            list(learnings.tag order by notes.rowid) as tags,
            list(case when learnings.effect > 0 then 'raises' else 'lowers' end order by notes.rowid) as directions,
            min(notes.rowid) as place
        from ledger.notes as notes
        inner join marts.learnings as learnings on notes.evidence_id = learnings.evidence_id
        where notes.program = $program and notes.segment = $segment and notes.template is not null
            and notes.cycle = (
                select max(cycle) from ledger.notes where program = $program and segment = $segment and cycle < $cycle
            )
        group by notes.note_id
        order by place
        """,
        {"program": program, "segment": segment, "cycle": cycle},
    )
    return [Kept(tuple(row["tags"]), tuple(row["directions"]), row["text"], row["writer"]) for row in rows]


def _note_rows(worded: Worded, brief: Brief, now: dt.datetime) -> list[dict[str, Any]]:
    return [
        {
            "note_id": _digest(*note.evidence, brief.segment),
            "program": brief.program,
            "cycle": brief.cycle,
            "segment": brief.segment,
            "evidence_id": evidence_id,
            "sentence": sentence,
            "writer": note.writer,
            "recorded_at": now,
            "template": note.text,
        }
        for note, sentence in zip(worded.notes, worded.sentences, strict=True)
        for evidence_id in note.evidence
    ]


def _operation_rows(worded: Worded, brief: Brief, asker: Asker | None, now: dt.datetime) -> list[dict[str, Any]]:
    return [
        {
            "operation_id": _digest(brief.program, brief.cycle, brief.segment, place),
            "program": brief.program,
            "cycle": brief.cycle,
            "segment": brief.segment,
            "number": operation.number,
            "operation": operation.operation,
            "evidence_ids": [_recordable(key, 80) for key in operation.evidence],
            "text": None if operation.text is None else _recordable(operation.text, 2000),
            "verdict": operation.verdict,
            "reason": _recordable(operation.reason, 300),
            "model": asker.name if asker else "none",
            "recorded_at": now,
        }
        for place, operation in enumerate(worded.judged)
    ]


def _recordable(text: str, longest: int) -> str:
    """What a model said as the ledger can hold it: bounded, without lone surrogates or zero characters."""
    return text[:longest].encode("utf-8", "replace").decode("utf-8").replace("\x00", "\ufffd")


def _digest(*parts: object) -> str:
    return hashlib.sha256("/".join(str(part) for part in parts).encode()).hexdigest()
