"""Turns learnings into the brief that generation may rely on.

The brief states only what the warehouse supports; it never computes an estimate and never invents one.
"""

import math
from collections.abc import Sequence

from orchestration.errors import Refusal
from orchestration.records import Brief, Learning


def brief_for(
    program: str, cycle: int, segment: str, learnings: Sequence[Learning], *, steerable: Sequence[str], most: int
) -> Brief:
    """Builds the brief of one segment.

    Args:
        segment: Segment to brief; learnings of ``"all"`` apply to it too, its own supported ones win over them.
        learnings: Rows of ``marts.learnings`` for the program's objective, as of one cycle.
        steerable: Tags that generation can put in or leave out.
        most: Largest number of learnings to state; the rest would blur the brief.

    Raises:
        Refusal: if the rows mix cycles, because such a brief could not be replayed.
    """
    cycles = {learning.cycle for learning in learnings}
    if len(cycles) > 1:
        raise Refusal("brief", f"learnings of {len(cycles)} cycles were mixed", "Pass the rows of a single cycle.")
    relevant = [learning for learning in learnings if learning.tag in set(steerable)]
    own = {learning.tag: learning for learning in relevant if learning.segment == "all"}
    own |= {
        learning.tag: learning
        for learning in relevant
        if learning.segment == segment and learning.status != "candidate"
    }
    known = sorted(
        (row for row in own.values() if row.status == "active"), key=lambda row: (-row.expected_value, row.tag)
    )
    doubtful = sorted((row for row in own.values() if row.status in {"contested", "retired"}), key=lambda row: row.tag)
    settled = {row.tag for row in known}
    return Brief(
        program,
        cycle,
        segment,
        known=tuple(known[:most]),
        doubtful=tuple(doubtful),
        open=tuple(tag for tag in steerable if tag not in settled),
    )


def rendered(brief: Brief) -> str:
    """The brief as a short Markdown text for people; the same rows give the same text."""
    lines = [f"## {brief.program}, {brief.segment}, cycle {brief.cycle}", ""]
    lines += [f"- {sentence(row)}" for row in brief.known] or ["- Nothing is proved yet."]
    lines += [f"- Do not assume: {row.tag} ({row.reason})." for row in brief.doubtful]
    lines += [f"- Worth testing: {', '.join(brief.open)}."] if brief.open else []
    return "\n".join(lines) + "\n"


def sentence(learning: Learning) -> str:
    """One learning in words; every number is the warehouse's own."""
    if learning.effect is None or learning.ci_low is None or learning.ci_high is None:
        return f"{learning.tag}: {learning.reason}"
    low, effect, high = (percent(value) for value in (learning.ci_low, learning.effect, learning.ci_high))
    where = "for everyone" if learning.segment == "all" else f"for {learning.segment}"
    verb = "raises" if learning.effect > 0 else "lowers"
    return (
        f"{learning.tag} {verb} {learning.metric} {where} by {effect} (between {low} and {high} at every look; "
        f"{learning.n_experiments} experiments, {learning.n_creatives} texts, {learning.grade})"
    )


def percent(log_effect: float) -> str:
    """A log rate ratio as a signed percentage."""
    return f"{math.expm1(log_effect) * 100:+.0f} %"
