"""Texts that have proven themselves: what is believed of every text sent lately, so that the best may be sent again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from orchestration.learn.beliefs import Beliefs
from orchestration.learn.reading import SentText


@dataclass(frozen=True, slots=True)
class Proven:
    """What slots are filled from.

    Attributes:
        by_segment: Segment -> texts written for it that may be sent again.
        width: Scale of the standard deviations in the draws.
        particular_variance: Prior variance of what is particular to a text.
    """

    beliefs: Beliefs
    by_segment: dict[str, tuple[str, ...]]
    width: float
    particular_variance: float


def proven_texts(tags: Sequence[str], sent: Sequence[SentText], policy: Mapping[str, float]) -> Proven:
    """Learns tags and texts from closed experiments, oldest first.

    Args:
        tags: Tags the program steers.
        sent: Rows of one comparison stand together. What did harm anywhere is learned from, and sent to nobody again.
        policy: Needs choice_prior_variance, particular_variance and draw_width.
    """
    particular = policy["particular_variance"]
    beliefs = Beliefs(dict.fromkeys(tags, policy["choice_prior_variance"]), particular)
    beliefs.meet_all({row.text: row.tags for row in sent})
    for _, rows in groupby(sent, key=lambda row: row.comparison):
        arms = list({row.text: row for row in rows}.values())  # a text that two arms carry counts once
        if len(arms) > 1:
            rates, variances = np.array([row.log_rate for row in arms]), np.array([row.variance for row in arms])
            beliefs.learn_rates([row.text for row in arms], rates, variances)
    by_segment: dict[str, tuple[str, ...]] = {}
    harmful = {row.text for row in sent if row.did_harm}
    for row in sent:
        if row.role not in {"exploit", "explore"} or row.text in harmful:
            continue
        if row.text not in by_segment.get(row.segment, ()):
            by_segment[row.segment] = (*by_segment.get(row.segment, ()), row.text)
    return Proven(beliefs, by_segment, policy["draw_width"], particular)
