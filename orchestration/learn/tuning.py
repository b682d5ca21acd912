"""Chooses the predictor's strengths by forward chaining: learn from the past, judge on what came next."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from orchestration.learn.features import Features, similarity
from orchestration.learn.posterior import Posterior, Strengths, contrast_variance
from orchestration.learn.trials import Trials, between_creatives

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

# How belief may be split between blocks; the share explained in all is chosen apart from it.
MIXES: dict[str, dict[str, float]] = {
    "tags": {"tags": 1.0},
    "lines": {"tags": 0.3, "words": 0.35, "chars": 0.35},
    "joint": {"joint": 1.0},
    "joint and lines": {"joint": 0.7, "tags": 0.1, "words": 0.1, "chars": 0.1},
    "joint and meaning": {"joint": 0.5, "meaning": 0.5},
    "all": {"joint": 0.4, "meaning": 0.3, "tags": 0.1, "words": 0.1, "chars": 0.1},
}
EXPLAINED = (0.05, 0.1, 0.2, 0.4, 0.7)  # shares of the variance between creatives that texts may explain
_FIRST_MIX, _FIRST_SHARE = "joint and lines", 0.4
_FOLDS, _LEAST_GROUPS = 4, 20
_MOST_TRIALS = 2500  # of a fold's past: strengths need no more, and the cost is cubic
_LEAST_VARIANCE = 1e-4
_MOST_STRETCH, _SPREADS = 3.0, (1 / 3, 3.0)


@dataclass(frozen=True, slots=True)
class Choice:
    """What the search settled on.

    Attributes:
        mix: Name in ``MIXES``.
        explained: Share of the variance between creatives given to texts; sets how hard each block is shrunk.
        stretch: Slope of what happened on what was foretold, 0 if nothing was: lifts are multiplied by it.
        spread: Actual over believed standard deviation of what was left: uncertainties are multiplied by it.
        skill: Correlation of later contrasts with what was foretold, noise included; 0 if history was too short to ask.
    """

    mix: str = _FIRST_MIX
    explained: float = _FIRST_SHARE
    stretch: float = 1.0
    spread: float = 1.0
    skill: float = 0.0

    def strengths(self, between: float, *, with_meaning: bool) -> Strengths:
        """Strengths for a history whose creatives differ by the variance ``between``."""
        between = max(between, _LEAST_VARIANCE)
        parts = {name: part for name, part in MIXES[self.mix].items() if with_meaning or name != "meaning"}
        whole = self.explained * between / sum(parts.values())
        return Strengths({name: part * whole for name, part in parts.items()}, (1 - self.explained) * between)


def choose(trials: Trials, features: Features, mixes: Iterable[str] = tuple(MIXES)) -> Choice:
    """Finds the mix, then the share explained, whose order of later trials was best; then how far to trust the size.

    The default where history is too short to be split.
    """
    with_meaning = features.meaning is not None
    folds = [_Fold(trials, features, past, later) for past, later in forward_folds(trials)]
    if not folds:
        return Choice()

    happened, weight = np.concatenate([f.happened for f in folds]), np.concatenate([f.weight for f in folds])

    def judged(choice: Choice) -> Choice:
        strengths = [choice.strengths(fold.between, with_meaning=with_meaning) for fold in folds]
        guess = np.concatenate([fold.foretell(known) for fold, known in zip(folds, strengths, strict=True)])
        cross, own = float(np.sum(weight * guess * happened)), float(np.sum(weight * guess**2))
        if own < 1e-12 or cross <= 0:
            return replace(choice, stretch=0.0, skill=0.0)
        skill = cross / np.sqrt(own * np.sum(weight * happened**2))
        return replace(choice, stretch=min(cross / own, _MOST_STRETCH), skill=float(skill))

    mixes = [name for name in mixes if with_meaning or "meaning" not in MIXES[name]]
    best = max((judged(Choice(mix)) for mix in mixes), key=lambda choice: choice.skill)
    others = [judged(replace(best, explained=share)) for share in EXPLAINED if share != best.explained]
    best = max([best, *others], key=lambda choice: choice.skill)
    left = [fold.left(best, with_meaning=with_meaning) for fold in folds]
    actual, believed = sum(pair[0] for pair in left), sum(pair[1] for pair in left)
    return replace(best, spread=float(np.clip(np.sqrt(max(actual, 0.0) / believed), *_SPREADS)))


def forward_folds(trials: Trials) -> Iterator[tuple[Index, Index]]:
    """Splits by cycle: (past, later) rows; later folds are consecutive and cover about the second half of the groups.

    Only sound groups judge, and their number sets the cuts; a past holds whatever the trials hold. It holds whole
    cycles that ended before the later ones began, so no experiment stands on both sides.
    """
    cycle = trials.rows["cycle"].to_numpy()
    first = np.sort(np.unique(trials.group, return_index=True)[1])
    starts = cycle[first[trials.sound[first]]]
    if len(starts) < _LEAST_GROUPS:
        return
    cuts = sorted({starts[int(len(starts) * part)] for part in np.linspace(0.5, 1, _FOLDS + 1)[:-1]})
    for begin, end in zip(cuts, [*cuts[1:], None], strict=True):
        past = np.flatnonzero(cycle < begin)
        later = np.flatnonzero(trials.sound & (cycle >= begin) & (True if end is None else cycle < end))
        recent = past[np.isin(trials.group[past], np.unique(trials.group[past[-_MOST_TRIALS:]]))]
        if len(np.unique(trials.group[recent])) >= _LEAST_GROUPS // 2:
            yield recent, later


class _Fold:
    """One past and what came next, with the similarities every candidate shares.

    Attributes:
        happened: Distances of the later log rates from their group's weighted mean.
        weight: One over the variance of each, were texts to explain nothing.
    """

    def __init__(self, trials: Trials, features: Features, past: Index, later: Index) -> None:
        self._past, self._later = trials.among(past), trials.among(later)
        self._features, self._later_features = features.rows(past), features.rows(later)
        self._inside = similarity(self._features, self._features)
        self._across = similarity(self._later_features, self._features)
        self._segment = self._later.rows["segment"].to_numpy(str)
        self.between = between_creatives(self._past)
        self.weight = 1 / (self._later.variance + max(self.between, _LEAST_VARIANCE))
        self.happened = self._centred(self._later.log_rate)

    def foretell(self, strengths: Strengths) -> Floats:
        """Expected distances of the later trials from their group's weighted mean."""
        posterior = Posterior.of(self._past, self._features, self._inside, strengths)
        return self._centred(posterior.mean(self._across, self._segment))

    def left(self, choice: Choice, *, with_meaning: bool) -> tuple[float, float]:
        """Sums over the later trials: squared misses less sampling noise, and what the posterior believed of them."""
        strengths = choice.strengths(self.between, with_meaning=with_meaning)
        posterior = Posterior.of(self._past, self._features, self._inside, strengths)
        mean, covariance = posterior.ask(self._later_features, self._segment)
        group, size = self._later.group, np.bincount(self._later.group)
        unweighted = self._later.log_rate - choice.stretch * mean
        miss = unweighted - (np.bincount(group, unweighted) / size)[group]
        share = 1 - 1 / size[group]
        believed = contrast_variance(covariance, group) * (len(group) - len(size))
        believed += strengths.particular * float(np.sum(share))
        return float(np.sum(miss**2) - np.sum(self._later.variance * share)), believed

    def _centred(self, values: Floats) -> Floats:
        group = self._later.group
        level = np.bincount(group, self.weight * values) / np.bincount(group, self.weight)
        return np.asarray(values - level[group])
