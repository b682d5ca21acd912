"""Which tags the next creatives carry: the design of one experiment (statistics.md, section 6).

Exploit arms are Thompson draws from the posterior over tag effects. Explore arms are their twins: the same tags but for one, so
that the pair's contrast is caused by that tag alone. Control arms know nothing of the learnings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from orchestration.generate.slots import Slot
from orchestration.learn.policy import policy
from orchestration.learn.reading import Posterior
from orchestration.learn.worth import untried_sd, worth_of_knowing
from orchestration.programs.definition import Program
from orchestration.records import Role


@dataclass(frozen=True, slots=True)
class PlannedArm:
    """One arm before its text is written.

    Attributes:
        share: Planned share of the segment's people outside the holdout.
        flipped: The one tag in which an explore arm differs from the first exploit arm, else None.
        text: A proven text that is sent again, or None where one is to be written.
    """

    role: Role
    tags: frozenset[str]
    share: float
    flipped: str | None = None
    text: str | None = None


def plan_arms(
    program: Program,
    segment: str,
    posteriors: Sequence[Posterior],
    focus: Sequence[str],
    rng: np.random.Generator,
    resent: Sequence[Slot] = (),
) -> list[PlannedArm]:
    """Plans the arms of one segment in one experiment; shares sum to 1.

    Args:
        posteriors: Posteriors of the program's objective, pooled and by segment; missing tags have the prior.
        focus: Tags to explore, one twin each.
        rng: Source of every draw.
        resent: Slots that may take all exploit arms but one; one with a text sends it again.
    """
    settings = program.experiments
    known = _of_segment(posteriors, segment)
    again = [slot for slot in resent if slot.text is not None][: settings.exploit_arms - 1]
    fresh = [_thompson(program, known, rng) for _ in range(settings.exploit_arms - len(again))]
    drawn = [*fresh, *(slot.tags for slot in again)]  # twins are of a new text: a proven one is known to be lucky
    texts = [*(None for _ in fresh), *(slot.text for slot in again)]
    exploit_share = 1 - settings.baseline_share - settings.explore_share - settings.control_share
    arms = [PlannedArm("baseline", frozenset(), settings.baseline_share)]
    arms += [
        PlannedArm("exploit", tags, exploit_share / len(drawn), text=text)
        for tags, text in zip(drawn, texts, strict=True)
    ]
    flips = list(dict.fromkeys(_flip(program, drawn[0], tag) for tag in focus))
    arms += [PlannedArm("explore", drawn[0] ^ {tag}, settings.explore_share / len(flips), flipped=tag) for tag in flips]
    if settings.control_share:
        share = policy()["control_tag_share"]
        uninformed = {tag: rng.random() for tag in program.tags}
        carried = _compatible(program, {tag: draw for tag, draw in uninformed.items() if draw < share})
        arms.append(PlannedArm("control", carried, settings.control_share))
    return arms


def focus_tags(tags: Sequence[str], posteriors: Sequence[Posterior], count: int, rng: np.random.Generator) -> list[str]:
    """Draws the tags worth an experiment: without replacement, in proportion to what knowing them would be worth."""
    known = {row.tag: row for row in posteriors if row.segment == "all"}
    worth = np.array([worth_of_knowing(known.get(tag)) for tag in tags])
    chosen = rng.choice(len(tags), size=min(count, len(tags)), replace=False, p=worth / worth.sum())
    return [tags[index] for index in chosen]


def _flip(program: Program, tags: frozenset[str], tag: str) -> str:
    """The tag to flip for a twin that explores ``tag``; where a rival takes its place, the rival: twins differ in one tag alone."""
    return tag if tag in tags else next(iter(sorted(program.rivals(tag) & tags)), tag)


def _thompson(program: Program, known: dict[str, Posterior], rng: np.random.Generator) -> frozenset[str]:
    drawn = {}
    for tag in program.tags:
        posterior = known.get(tag)
        mean, sd = (posterior.mean, posterior.sd) if posterior else (0.0, untried_sd())
        effect = rng.normal(mean, sd)
        if effect > 0:
            drawn[tag] = -effect
    return _compatible(program, drawn)


def _compatible(program: Program, ranks: Mapping[str, float]) -> frozenset[str]:
    """Tags without those whose rival has a smaller rank."""
    return frozenset(
        tag for tag in ranks if all(ranks[tag] < ranks[rival] for rival in program.rivals(tag) & set(ranks))
    )


def _of_segment(posteriors: Sequence[Posterior], segment: str) -> dict[str, Posterior]:
    pooled = {row.tag: row for row in posteriors if row.segment == "all"}
    return pooled | {row.tag: row for row in posteriors if row.segment == segment}
