"""A Gaussian process over texts whose evidence is contrasts inside experiments.

A trial's log rate is: its group's level (free) + what the text's features explain + what is particular to the creative
+ sampling noise. With linear blocks this is ridge regression centred within the experiment, one strength per block;
the joint block adds what holds only for texts alike in every respect.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve

from orchestration.learn.features import Features, similarity
from orchestration.learn.trials import Trials

Floats = npt.NDArray[np.float64]
_LEVEL_VARIANCE = 10.0  # of a group's level, in log units squared: as good as free
BETWEEN_SEGMENTS = 0.8  # correlation of a text's effect in two segments: partial pooling


@dataclass(frozen=True, slots=True)
class Strengths:
    """How much of the variance between a group's creatives each block is believed to explain, and what nobody explains.

    Attributes:
        blocks: Prior variance of the average contrast inside a group, per block.
        particular: Variance particular to a creative.
    """

    blocks: dict[str, float]
    particular: float


@dataclass(frozen=True, slots=True)
class Posterior:
    """What the trials say about texts, ready to be asked about others."""

    trials: Trials
    features: Features
    strengths: Strengths
    scales: dict[str, float]
    factor: Floats
    weights: Floats

    @classmethod
    def of(cls, trials: Trials, features: Features, blocks: dict[str, Floats], strengths: Strengths) -> "Posterior":
        """Conditions on trials.

        Args:
            features: Measured texts of the trials.
            blocks: ``similarity(features, features)``, passed in because a search over strengths needs it many times.
        """
        scales = {name: 1 / contrast_variance(kernel, trials.group) for name, kernel in blocks.items()}
        covariance = _blend(blocks, strengths, scales)
        segment = trials.rows["segment"].to_numpy(str)
        if len(set(segment)) > 1:
            covariance *= _pooling(segment, segment)
        covariance += _LEVEL_VARIANCE * (trials.group[:, None] == trials.group[None, :])
        covariance += strengths.particular * (trials.creative[:, None] == trials.creative[None, :])
        covariance[np.diag_indices(len(trials))] += trials.variance
        size = np.bincount(trials.group)
        centred = trials.log_rate - (np.bincount(trials.group, trials.log_rate) / size)[trials.group]
        factor, _ = cho_factor(covariance, lower=True, overwrite_a=True, check_finite=False)
        return cls(trials, features, strengths, scales, factor, cho_solve((factor, True), centred, check_finite=False))

    def mean(self, blocks: dict[str, Floats], segment: npt.NDArray[np.str_]) -> Floats:
        """Expected log rate of new texts up to a constant; ``blocks`` is ``similarity(new, past)``."""
        return np.asarray(self._towards_past(blocks, segment) @ self.weights)

    def ask(self, texts: Features, segment: npt.NDArray[np.str_]) -> tuple[Floats, Floats]:
        """Mean, shape (n,), and joint covariance, shape (n, n), of what the features of new texts explain."""
        across = self._towards_past(similarity(texts, self.features), segment)
        own = _blend(similarity(texts, texts), self.strengths, self.scales) * _pooling(segment, segment)
        solved = cho_solve((self.factor, True), across.T, check_finite=False)
        return across @ self.weights, own - across @ solved

    def _towards_past(self, blocks: dict[str, Floats], segment: npt.NDArray[np.str_]) -> Floats:
        past = self.trials.rows["segment"].to_numpy(str)
        across = _blend(blocks, self.strengths, self.scales)
        if len(set(past)) > 1:
            across = across * _pooling(segment, past)
        return across


def contrast_variance(kernel: Floats, group: npt.NDArray[np.intp]) -> float:
    """Variance a kernel gives an arm around its group's mean, on average; 1 where it tells no two apart."""
    size = np.bincount(group)
    same = _members(group)
    inside = sum(float(kernel[np.ix_(rows, rows)].sum()) / len(rows) for rows in same)
    free = len(group) - len(size)
    variance = (float(np.trace(kernel)) - inside) / free
    return variance if variance > 1e-9 else 1.0


def _members(group: npt.NDArray[np.intp]) -> list[npt.NDArray[np.intp]]:
    order = np.argsort(group, kind="stable")
    return np.split(order, np.cumsum(np.bincount(group))[:-1])


def _blend(blocks: dict[str, Floats], strengths: Strengths, scales: dict[str, float]) -> Floats:
    first = next(iter(blocks.values()))
    blend = np.zeros(first.shape)
    for name, variance in strengths.blocks.items():
        if variance > 0 and name in blocks:
            blend += (variance * scales[name]) * blocks[name]
    return blend


def _pooling(left: npt.NDArray[np.str_], right: npt.NDArray[np.str_]) -> Floats:
    return np.where(left[:, None] == right[None, :], 1.0, BETWEEN_SEGMENTS)
