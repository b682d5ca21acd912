"""Which texts compete for the slots of a send: proven ones that may be sent again, and new ones nobody has written yet."""

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from orchestration.learn.beliefs import Beliefs


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot of a send.

    Attributes:
        text: A proven text to send again, or None where a new one with these tags is to be written.
    """

    tags: frozenset[str]
    text: str | None


def fill_slots(
    beliefs: Beliefs,
    proven: Collection[str],
    count: int,
    rng: np.random.Generator,
    *,
    width: float,
    particular_variance: float,
) -> list[Slot]:
    """Fills slots by Thompson sampling over every known text and every tag set at once.

    Each slot draws one possible truth. In it the best new text carries exactly the tags that help, with a particular nobody knows yet
    and so drawn too; it takes the slot unless a proven text that has none yet is better.

    Args:
        proven: Texts that may be sent again, all of them met by ``beliefs``.
        width: Scale of the standard deviations in the draws.
        particular_variance: Variance of what is particular to a text not written yet.
    """
    slots: list[Slot] = []
    waiting = set(proven)
    for _ in range(count):
        effects, texts = beliefs.draw(rng, width)
        helping = frozenset(tag for tag, effect in effects.items() if effect > 0)
        fresh = sum(effects[tag] for tag in helping) + width * math.sqrt(particular_variance) * rng.standard_normal()
        best = max(sorted(waiting), key=texts.__getitem__, default=None)
        if best is None or texts[best] <= fresh:
            slots.append(Slot(helping, None))
        else:
            waiting.discard(best)
            slots.append(Slot(beliefs.carries(best), best))
    return slots
