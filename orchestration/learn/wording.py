"""Words the notes of one segment: a model may phrase them, the warehouse says what they say.

Whatever the model answers, each active learning keeps exactly one note, and each note that is not from the template has
passed ``operations.judge``. Texts are kept with their placeholders, so a wording of an earlier cycle speaks today's figures.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.edges.model_api import Answer
from orchestration.edges.prompts import Prompt
from orchestration.learn.note_text import allowed_words, fault_of, filled
from orchestration.learn.operations import SCHEMA, Judged, Note, judge
from orchestration.learn.phrases import Phrases
from orchestration.learn.sentences import OfflineWriter
from orchestration.records import Brief, Learning

PURPOSE = "learning_notes"
_TOKENS_PER_OPERATION, _TOKENS_AROUND = 160, 100


@dataclass(frozen=True, slots=True)
class Worded:
    """The notes of one segment in one cycle.

    Attributes:
        notes: In the order of the most valuable learning each one is about.
        sentences: The text of each note with its figures, in the order of ``notes``.
        judged: Every operation the model proposed; empty offline.
    """

    notes: tuple[Note, ...]
    sentences: tuple[str, ...]
    judged: tuple[Judged, ...]


@dataclass(frozen=True, slots=True)
class Asker:
    """A model that may be asked.

    Attributes:
        ask: Text and most tokens -> answer; never raises for what a server does.
        prompt: ``learning_notes``, or another with its inputs.
    """

    name: str
    ask: Callable[[str, Prompt, dict[str, Any], int], Answer]
    prompt: Prompt


@dataclass(frozen=True, slots=True)
class Kept:
    """A wording of an earlier cycle: what it was about, and its text with placeholders."""

    tags: tuple[str, ...]
    directions: tuple[str, ...]
    text: str
    writer: str


def word(brief: Brief, writer: OfflineWriter, kept: Sequence[Kept], asker: Asker | None) -> Worded:
    """The notes on a brief's active learnings.

    Args:
        kept: Wordings of the last cycle; each stays if its learnings are still active and point the same way.
        asker: None words offline.
    """
    rows = {row.evidence_id: row for row in brief.known}
    phrases = {key: writer.phrases(row) for key, row in rows.items() if writer.phrases(row).claim}
    notes = _standing(brief.known, phrases, kept)
    judged: list[Judged] = []
    if asker is not None and phrases:
        notes, judged = _asked(brief.segment, notes, phrases, writer, rows, asker)
    place = {key: number for number, key in enumerate(rows)}
    notes.sort(key=lambda note: min(place[key] for key in note.evidence))
    return Worded(tuple(notes), tuple(_sentence(note, phrases, writer, rows) for note in notes), tuple(judged))


def _standing(known: Sequence[Learning], phrases: dict[str, Phrases], kept: Sequence[Kept]) -> list[Note]:
    """Notes before anybody is asked: kept wordings that still hold, and the template's for the rest."""
    by_tag = {row.tag: row.evidence_id for row in known if row.evidence_id in phrases}
    notes: list[Note] = []
    covered: set[str] = set()
    for wording in kept:
        ids = tuple(by_tag[tag] for tag in wording.tags if tag in by_tag)
        agree = len(ids) == len(wording.tags) and all(
            phrases[key].direction == direction for key, direction in zip(ids, wording.directions, strict=True)
        )
        if agree and not covered & set(ids) and _may_stand(wording.text, [phrases[key] for key in ids]):
            notes.append(Note(f"k{len(notes) + 1}", ids, wording.text, wording.writer))
            covered |= set(ids)
    rest = [row.evidence_id for row in known if row.evidence_id not in covered]
    return [*notes, *(Note(f"n{number}", (key,), None, "template") for number, key in enumerate(rest, start=1))]


def _may_stand(text: str, phrases: Sequence[Phrases]) -> bool:
    """Whether a text from the ledger would be accepted today; the list of words may have changed since."""
    return fault_of(text, len(phrases)) is None and ("interval" not in text or all(part.interval for part in phrases))


def _asked(
    segment: str,
    notes: list[Note],
    phrases: dict[str, Phrases],
    writer: OfflineWriter,
    rows: dict[str, Learning],
    asker: Asker,
) -> tuple[list[Note], list[Judged]]:
    most = 2 * len(phrases) + 2
    text = asker.prompt.render(
        segment=segment,
        evidence=[
            {
                "id": key,
                "claim": part.claim,
                "interval": part.interval,
                "proof": part.proof,
                "direction": part.direction,
            }
            for key, part in phrases.items()
        ],
        notes=[
            {"id": note.name, "evidence": note.evidence, "text": note.text or writer.sentence(rows[note.evidence[0]])}
            for note in notes
        ],
        words=sorted(allowed_words()),
        most=most,
    )
    answer = asker.ask(text, asker.prompt, SCHEMA, _TOKENS_AROUND + _TOKENS_PER_OPERATION * most)
    if answer.content is None:
        reason = f"the answer was {answer.status}" + (f": {answer.detail}" if answer.detail else "")
        return notes, [Judged(0, "unreadable", (), None, "rejected", reason)]
    return judge(answer.content, notes, phrases, most=most, model=asker.name)


def _sentence(note: Note, phrases: dict[str, Phrases], writer: OfflineWriter, rows: dict[str, Learning]) -> str:
    if note.text is None:
        return writer.sentence(rows[note.evidence[0]])
    return filled(note.text, [phrases[key] for key in note.evidence])
