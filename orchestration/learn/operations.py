"""What a model may do to notes, and the judge that lets through only what the evidence bears out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestration.learn.note_text import fault_of
from orchestration.learn.phrases import Phrases

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "operations": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "operation": {"type": "string", "enum": ["add", "rewrite", "merge", "retire"]},
                    "notes": {"type": "array", "items": {"type": "string"}},
                    "evidence": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "id": {"type": "string"},
                                "direction": {"type": "string", "enum": ["raises", "lowers"]},
                            },
                            "required": ["id", "direction"],
                            "additionalProperties": False,
                        },
                    },
                    "text": {"type": "string"},
                },
                "required": ["operation", "notes", "evidence", "text"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["operations"],
    "additionalProperties": False,
}
MOST_CITED = 6  # a sentence with more claims is a list


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Cited(_Strict):
    id: str
    direction: Literal["raises", "lowers"]


class _Operation(_Strict):
    operation: Literal["add", "rewrite", "merge", "retire"]
    notes: list[str]
    evidence: list[_Cited] = Field(min_length=1, max_length=MOST_CITED)
    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence about one or several learnings.

    Attributes:
        name: How the model calls it, unique among the notes of a segment.
        evidence: Evidence ids, in the order in which the text numbers them.
        text: With placeholders; None where the template's sentence stands.
        writer: ``template``, or the model that worded it.
    """

    name: str
    evidence: tuple[str, ...]
    text: str | None
    writer: str


@dataclass(frozen=True, slots=True)
class Judged:
    """One proposed operation and what became of it.

    Attributes:
        number: Its place in the answer from 1; 0 for an answer that is unreadable as a whole.
        verdict: ``proposed`` is a retirement, which only a person can decide.
    """

    number: int
    operation: str
    evidence: tuple[str, ...]
    text: str | None
    verdict: Literal["accepted", "proposed", "rejected"]
    reason: str


def judge(
    content: Mapping[str, Any], notes: Sequence[Note], evidence: Mapping[str, Phrases], *, most: int, model: str
) -> tuple[list[Note], list[Judged]]:
    """Applies the operations that stand; the others leave everything as it was.

    Args:
        content: The model's answer, of any shape.
        notes: The notes as they stand; together they cite each piece of evidence once.
        evidence: What may be cited -> what the warehouse says about it.
        most: Operations beyond this number are not read.

    Returns:
        The notes as they stand now, each piece of evidence in one of them still, and every operation with its verdict.
    """
    proposed = content.get("operations")
    if set(content) != {"operations"} or not isinstance(proposed, list):
        return list(notes), [Judged(0, "unreadable", (), None, "rejected", "is not a list of operations and no more")]
    current, judged, worded = list(notes), [], set[str]()
    for number, raw in enumerate(proposed[: most + 1], start=1):
        if number > most:
            judged.append(Judged(number, "unreadable", (), None, "rejected", f"is beyond the {most} that are read"))
            break
        try:
            operation = _Operation.model_validate(raw)
        except ValidationError as error:
            judged.append(Judged(number, "unreadable", (), None, "rejected", _first(error)))
            continue
        ids = tuple(cited.id for cited in operation.evidence)
        fault = _fault(operation, ids, current, evidence, worded)
        verdict: Literal["accepted", "proposed", "rejected"] = "rejected"
        if fault is None:
            verdict = "proposed" if operation.operation == "retire" else "accepted"
        reason = fault or ("a person decides" if verdict == "proposed" else "agrees with the evidence")
        judged.append(Judged(number, operation.operation, ids, operation.text, verdict, reason))
        if verdict == "accepted":
            worded |= set(ids)
            current = [note for note in current if not set(note.evidence) & set(ids)]
            current.append(Note(f"w{number}", ids, operation.text, model))
    return current, judged


def _fault(
    operation: _Operation,
    ids: tuple[str, ...],
    notes: Sequence[Note],
    evidence: Mapping[str, Phrases],
    worded: set[str],
) -> str | None:
    unknown = next((cited for cited in ids if cited not in evidence), None)
    if unknown is not None:
        return "cites evidence that does not exist"
    if len(set(ids)) < len(ids):
        return "cites one piece of evidence twice"
    for cited in operation.evidence:
        if evidence[cited.id].direction != cited.direction:
            return f"gets the direction of {cited.id[:12]} wrong"
    known = {note.name: note for note in notes}
    if any(name not in known for name in operation.notes) or len(set(operation.notes)) < len(operation.notes):
        return "names a note that does not exist, or one twice"
    held = {cited for name in operation.notes for cited in known[name].evidence}
    wrong = {
        "add": operation.notes != [],
        "rewrite": len(operation.notes) != 1,
        "merge": len(operation.notes) < 2,
        "retire": not operation.notes,
    }[operation.operation]
    if wrong:
        return f"{operation.operation} does not go with {len(operation.notes)} notes"
    if operation.operation != "add" and held != set(ids):
        return "cites other evidence than its notes"
    if operation.operation == "retire":
        return "retires with a text" if operation.text else None
    # A note that lost only a part of its evidence would leave the rest without a sentence.
    torn = [note for note in notes if set(note.evidence) & set(ids) and not set(note.evidence) <= set(ids)]
    if worded & set(ids) or torn:
        return "cites evidence that has a new text already" if worded & set(ids) else "tears a note apart"
    fault = fault_of(operation.text, len(ids))
    if fault:
        return fault
    empty = [name for name in ("claim", "range") for cited in ids if name in operation.text and not getattr(evidence[cited], name)]
    return f"asks for a {empty[0]} that is not known" if empty else None


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part)[:40] for part in first["loc"][:4]) or "the operation"
    return f"{where}: {first['msg']}"[:200]
