"""What a model may do to notes, and the judge that lets through only what the evidence bears out."""

from collections.abc import Iterator, Mapping, Sequence
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
_FEWEST = {"add": 0, "rewrite": 1, "merge": 2, "retire": 1}  # notes an operation names
_MOST = {"add": 0, "rewrite": 1, "merge": MOST_CITED, "retire": MOST_CITED}


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
        fault = next(_faults(operation, ids, current, evidence, worded), None)
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


def _faults(
    operation: _Operation,
    ids: tuple[str, ...],
    notes: Sequence[Note],
    evidence: Mapping[str, Phrases],
    worded: set[str],
) -> Iterator[str]:
    """What speaks against an operation, the first fault first; each check relies on those before it."""
    if not set(ids) <= set(evidence):
        yield "cites evidence that does not exist"
    if len(set(ids)) < len(ids):
        yield "cites one piece of evidence twice"
    for cited in operation.evidence:
        if evidence[cited.id].direction != cited.direction:
            yield f"gets the direction of {cited.id[:12]} wrong"
    known = {note.name: note for note in notes}
    if not set(operation.notes) <= set(known) or len(set(operation.notes)) < len(operation.notes):
        yield "names a note that does not exist, or one twice"
    if not _FEWEST[operation.operation] <= len(operation.notes) <= _MOST[operation.operation]:
        yield f"{operation.operation} does not go with {len(operation.notes)} notes"
    if operation.operation != "add" and {key for name in operation.notes for key in known[name].evidence} != set(ids):
        yield "cites other evidence than its notes"
    if operation.operation == "retire":
        yield from ["retires with a text"] * bool(operation.text)
    else:
        yield from _text_faults(operation.text, ids, notes, evidence, worded)


def _text_faults(
    text: str, ids: tuple[str, ...], notes: Sequence[Note], evidence: Mapping[str, Phrases], worded: set[str]
) -> Iterator[str]:
    if worded & set(ids):
        yield "cites evidence that has a new text already"
    # A note that lost only a part of its evidence would leave the rest without a sentence.
    if any(set(note.evidence) & set(ids) and not set(note.evidence) <= set(ids) for note in notes):
        yield "tears a note apart"
    fault = fault_of(text, len(ids))
    if fault:
        yield fault
    if "{interval" in text and not all(evidence[cited].interval for cited in ids):
        yield "asks for an interval that is not known"


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part)[:40] for part in first["loc"][:4]) or "the operation"
    return f"{where}: {first['msg']}"[:200]
