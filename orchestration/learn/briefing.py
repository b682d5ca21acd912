"""Turns learnings into the brief that generation may rely on.

The brief states only what the warehouse supports; it never computes an estimate and never invents one. Learnings enter by
what they are worth until the brief is full, because what nobody reads teaches nobody.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from orchestration.errors import Refusal
from orchestration.records import Brief, Learning, Rejection

_BYTES_PER_TOKEN = 4  # of English text


def brief_for(
    program: str,
    cycle: int,
    segment: str,
    learnings: Sequence[Learning],
    *,
    steerable: Sequence[str],
    tokens: float,
    doubt_share: float = 0.25,
    worth: Mapping[str, float] | None = None,
    voice: str = "",
    rules: Sequence[str] = (),
) -> Brief:
    """Builds the brief of one segment.

    Args:
        segment: Segment to brief; learnings of ``"all"`` apply to it too, its own supported ones win over them.
        learnings: Rows of ``marts.learnings`` for the program's objective, as of one cycle.
        steerable: Tags that generation can put in or leave out.
        tokens: Room for what is known and what must not be assumed.
        doubt_share: Part of the room kept for the latter.
        worth: Tag -> what knowing its effect would be worth; orders the hypotheses.
        voice: How the sender speaks.
        rules: What any text must keep to, in words.

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
    active = sorted(
        (row for row in own.values() if row.status == "active"), key=lambda row: (-row.expected_value, row.tag)
    )
    doubted = sorted(
        (row for row in own.values() if row.status in {"contested", "retired"}),
        key=lambda row: (-row.expected_value, row.tag),
    )
    known = _fitting(active, tokens * (1 - doubt_share))
    doubtful = _fitting(doubted, tokens * doubt_share)
    stated = {row.tag for row in known}
    proved = {row.tag for row in active}
    values = worth or {}
    unproved = sorted((tag for tag in steerable if tag not in proved), key=lambda tag: -values.get(tag, 0.0))
    return Brief(
        program,
        cycle,
        segment,
        known=tuple(known),
        doubtful=tuple(doubtful),
        open=tuple(unproved),
        left_out=tuple(row for row in active if row.tag not in stated),
        voice=voice,
        rules=tuple(rules),
    )


def rendered(brief: Brief, sentences: Sequence[str] | None = None, changes: Sequence[str] = ()) -> str:
    """The brief as a short Markdown text for people; the same rows give the same text.

    Args:
        sentences: The notes on what is known; by default one short sentence for each learning.
        changes: What changed since the last brief, in words.
    """
    known = [sentence(row) for row in brief.known] if sentences is None else list(sentences)
    lines = [f"## {brief.program}, {brief.segment}, cycle {brief.cycle}", "", "### What is known", ""]
    lines += [f"- {text}" for text in known] or ["- Nothing is proved yet."]
    if brief.left_out:
        tags = ", ".join(row.tag for row in brief.left_out)
        lines.append(f"- Proved too, but worth less than what stands here: {tags}.")
    if brief.doubtful:
        lines += ["", "### Do not assume", ""]
        lines += [f"- {row.tag} ({row.status}): {row.reason}." for row in brief.doubtful]
    if brief.open:
        lines += ["", "### Worth testing, the most informative first", "", f"- {', '.join(brief.open)}"]
    if brief.voice or brief.rules:
        lines += ["", "### Voice and rules", ""]
        lines += [f"- Voice: {brief.voice}"] * bool(brief.voice) + [f"- {rule}" for rule in brief.rules]
    if changes:
        lines += ["", "### What changed since the last brief", "", *(f"- {change}" for change in changes)]
    return "\n".join(lines) + "\n"


def as_json(brief: Brief) -> str:
    """The brief as ``ledger.briefs`` keeps it."""
    return json.dumps(asdict(brief), sort_keys=True)


def from_json(text: str) -> Brief:
    """The brief that ``as_json`` wrote, also by an earlier release, whose briefs had fewer fields."""
    content: dict[str, Any] = json.loads(text)
    for name in ("known", "doubtful", "left_out"):
        content[name] = tuple(Learning(**row) for row in content.get(name, ()))
    content["rejected"] = tuple(Rejection(**row) for row in content.get("rejected", ()))
    return Brief(**content | {name: tuple(content.get(name, ())) for name in ("open", "rules")})


def sentence(learning: Learning) -> str:
    """One learning in a short line; every number is the warehouse's own."""
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


def _fitting(rows: Sequence[Learning], tokens: float) -> list[Learning]:
    """The rows that fit, in their order; one that does not leaves its room to those after it."""
    taken, room = [], tokens
    for row in rows:
        cost = len(sentence(row).encode()) / _BYTES_PER_TOKEN
        if cost <= room:
            taken.append(row)
            room -= cost
    return taken
