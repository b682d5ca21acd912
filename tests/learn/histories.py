"""Simulated pasts with a known truth, for the predictor's tests."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

SUBJECTS = ("garden", "kitchen", "travel", "money", "health", "music", "school", "winter")
VERBS = ("improves", "changes", "repairs", "explains", "compares", "hides")
ENDINGS = ("this week", "for everyone", "at home", "on a budget", "in one hour")


class Words:
    """A tagger of four words: the smallest thing that speaks a taxonomy's contract."""

    names = ("question", "secret", "free", "you")

    def extract(self, text: str) -> frozenset[str]:
        found = {name for name in self.names[1:] if name in text.lower().split()}
        return frozenset(found | ({"question"} if "?" in text else set()))


def sentence(rng: np.random.Generator, tags: Sequence[str]) -> str:
    body = (
        f"{rng.choice(SUBJECTS)} {rng.choice(VERBS)} {rng.choice(SUBJECTS)} {rng.choice(ENDINGS)} {rng.integers(1e6)}"
    )
    front = " ".join(tag for tag in Words.names[1:] if tag in tags)
    return f"{front} {body}{'?' if 'question' in tags else ''}".strip()


def past(
    *,
    seed: int,
    experiments: int = 60,
    arms: int = 4,
    effects: dict[str, float] | None = None,
    between: float = 0.1,
    n: int = 4000,
    rate: float = 0.05,
) -> pd.DataFrame:
    """Experiments whose arms differ by their tags' effects and by ``between`` (log sd) for no reason a text shows.

    Besides the columns of a history it holds ``truth``, the true log rate.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(experiments):
        level = np.log(rate) + rng.normal(0, 0.3)
        for arm in range(arms):
            tags = [tag for tag in Words.names if rng.random() < 0.5]
            truth = level + sum((effects or {}).get(tag, 0.0) for tag in tags) + rng.normal(0, between)
            clicks = rng.binomial(n, min(np.exp(truth), 1.0))
            rows.append((number, f"e{number}", f"c{number}.{arm}", n, clicks, sentence(rng, tags), truth))
    table = pd.DataFrame(rows, columns=["cycle", "experiment_id", "creative_id", "n", "sum_y", "text", "truth"])
    return table.assign(program="p", segment="all", metric="click", planned_share=1 / arms, randomised=True)


def only_arms(history: pd.DataFrame) -> pd.DataFrame:
    return history[["experiment_id", "creative_id", "text"]]
