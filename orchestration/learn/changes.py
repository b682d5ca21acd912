"""What changed from one brief of a segment to the next, and why: a difference of two lists of learnings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from orchestration.learn.briefing import percent
from orchestration.records import Brief, Learning

Kind = Literal["proved", "dropped", "turned", "moved", "doubted", "cleared"]


@dataclass(frozen=True, slots=True)
class Change:
    """One change.

    Attributes:
        evidence_id: The row of ``marts.learnings`` that tells it: the new one, or the old one where none is left.
    """

    kind: Kind
    tag: str
    why: str
    evidence_id: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.tag}, {self.why}"


def changes_between(before: Brief | None, after: Brief, *, least: float) -> list[Change]:
    """What a reader of the last brief must unlearn or may add, in the order of tags.

    Args:
        before: The segment's last brief, or None for its first: everything known is then new.
        least: Change of a log effect from which a learning that stays is named.
    """
    old, new = _known(before), _known(after)
    doubts = {row.tag: row for row in after.doubtful}
    old_doubts = {row.tag for row in before.doubtful} if before else set()
    changes: list[Change] = []
    for tag in sorted({*old, *new, *doubts, *old_doubts}):
        was, now, doubt = old.get(tag), new.get(tag), doubts.get(tag)
        if now and not was:
            changes.append(Change("proved", tag, f"{_effect(now)}: {now.reason}", now.evidence_id))
        elif was and not now:
            changes.append(_dropped(was, doubt, after))
        elif was and now:
            changes += _stayed(was, now, least)
        elif doubt and tag not in old_doubts:
            changes.append(Change("doubted", tag, doubt.reason, doubt.evidence_id))
        elif tag in old_doubts and not doubt:
            changes.append(Change("cleared", tag, "it is an open question again", _evidence(before, tag)))
    return changes


def _known(brief: Brief | None) -> Mapping[str, Learning]:
    return {row.tag: row for row in brief.known} if brief else {}


def _dropped(was: Learning, doubt: Learning | None, after: Brief) -> Change:
    if doubt:
        return Change("dropped", was.tag, f"{doubt.status}: {doubt.reason}", doubt.evidence_id)
    crowded = next((row for row in after.left_out if row.tag == was.tag), None)
    if crowded:
        return Change("dropped", was.tag, "still proved, but others are worth more room", crowded.evidence_id)
    return Change("dropped", was.tag, "the evidence no longer says anything of it", was.evidence_id)


def _stayed(was: Learning, now: Learning, least: float) -> list[Change]:
    if was.effect is None or now.effect is None:
        return []
    grown = now.n_experiments - was.n_experiments
    why = f"{_effect(was)} became {_effect(now)} with {grown} more experiment{'' if grown == 1 else 's'}"
    if was.effect * now.effect < 0:
        return [Change("turned", now.tag, why, now.evidence_id)]
    if abs(now.effect - was.effect) >= least:
        return [Change("moved", now.tag, why, now.evidence_id)]
    return []


def _effect(row: Learning) -> str:
    return "an unknown effect" if row.effect is None else percent(row.effect)


def _evidence(before: Brief | None, tag: str) -> str:
    return next((row.evidence_id for row in (before.doubtful if before else ()) if row.tag == tag), "")
