"""What is believed of tags and of single texts together: enough to choose by, never evidence.

A text's log rate is the sum of its tags' effects and of something particular to it that stays with it whenever it is sent. Both are
normal beforehand, so what one send says about a text also says something about its tags, and the other way round.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from orchestration.normal import Floats, Normal


class Beliefs:
    """A joint normal over tag effects and texts' particulars, which grows by one with each text.

    Args:
        tags: Tag -> prior variance of its log effect.
        particular_variance: Prior variance of what is particular to a text.
    """

    def __init__(self, tags: Mapping[str, float], particular_variance: float) -> None:
        self.tags = tuple(tags)
        self._particular = particular_variance
        self._mean = np.zeros(len(self.tags))
        self._covariance = np.diag(np.array([tags[tag] for tag in self.tags], dtype=np.float64))
        self._carried: dict[str, Floats] = {}

    @property
    def texts(self) -> tuple[str, ...]:
        """Texts met so far, in the order of meeting."""
        return tuple(self._carried)

    def meet(self, text: str, tags: Collection[str]) -> None:
        """Adds a text; one that is known stays as it is."""
        self.meet_all({text: tags})

    def meet_all(self, texts: Mapping[str, Collection[str]]) -> None:
        """Adds many texts with their tags; those that are known stay as they are."""
        new = {text: tags for text, tags in texts.items() if text not in self._carried}
        self._carried |= {text: np.array([float(tag in tags) for tag in self.tags]) for text, tags in new.items()}
        size = len(self._mean)
        grown = self._particular * np.eye(size + len(new))
        grown[:size, :size] = self._covariance
        self._mean, self._covariance = np.append(self._mean, np.zeros(len(new))), grown

    def carries(self, text: str) -> frozenset[str]:
        """Tags of a text that was met."""
        return frozenset(tag for tag, carried in zip(self.tags, self._carried[text], strict=True) if carried)

    def effects(self) -> dict[str, tuple[float, float]]:
        """Tag -> mean and standard deviation of its log effect."""
        sd = np.sqrt(np.diag(self._covariance))
        return {tag: (float(self._mean[at]), float(sd[at])) for at, tag in enumerate(self.tags)}

    def of(self, texts: Sequence[str]) -> Normal:
        """What is believed of the log rates of texts that were met, up to a constant."""
        rows = self._rows(texts)
        return Normal(rows @ self._mean, rows @ self._covariance @ rows.T)

    def learn(self, texts: Sequence[str], after: Normal) -> None:
        """Takes over what a send left to believe of its arms.

        Args:
            after: What the send's outcomes made of ``of(texts)``; anything that knows earlier outcomes twice counts them twice.
        """
        rows = self._rows(texts)
        before = self.of(texts)
        gain = np.linalg.solve(before.covariance, rows @ self._covariance).T
        self._mean = self._mean + gain @ (after.mean - before.mean)
        covariance = self._covariance + gain @ (after.covariance - before.covariance) @ gain.T
        self._covariance = (covariance + covariance.T) / 2

    def learn_rates(self, texts: Sequence[str], log_rates: Floats, variances: Floats) -> None:
        """Takes over the log rates of texts randomised against each other; their common level is free."""
        before = self.of(texts)
        precise = 1 / variances
        told = np.diag(precise) - np.outer(precise, precise) / precise.sum()
        precision = np.linalg.inv(before.covariance)
        covariance = np.linalg.inv(precision + told)
        mean = covariance @ (precision @ before.mean + told @ log_rates)
        self.learn(texts, Normal(mean, (covariance + covariance.T) / 2))

    def draw(self, rng: np.random.Generator, width: float) -> tuple[dict[str, float], dict[str, float]]:
        """One possible truth: log effect of each tag, and log rate of each text that was met (tags and particulars)."""
        at = self._mean + width * (np.linalg.cholesky(self._covariance) @ rng.standard_normal(len(self._mean)))
        effects = at[: len(self.tags)]
        texts = {
            text: float(carried @ effects + at[len(self.tags) + number])
            for number, (text, carried) in enumerate(self._carried.items())
        }
        return dict(zip(self.tags, effects.tolist(), strict=True)), texts

    def _rows(self, texts: Sequence[str]) -> Floats:
        position = {text: number for number, text in enumerate(self._carried)}
        rows = np.zeros((len(texts), len(self._mean)))
        for row, text in zip(rows, texts, strict=True):
            row[: len(self.tags)] = self._carried[text]
            row[len(self.tags) + position[text]] = 1.0
        return rows
