"""Who gets the next batch: Thompson sampling over the arms of one send (statistics.md, section 6).

What is believed of the arms before the send is a joint normal over their log rates: the tag effects they share, and what is particular
to each text. Each batch has a level of its own that is nobody's merit (the day, the hour, the news), so only contrasts inside a batch
count: given a batch's total, the arms' outcomes are multinomial, and the level drops out. The posterior is Laplace's approximation.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from orchestration.normal import Floats, Normal

DRAWS = 2000
_STEPS = 30
_CLOSE = 1e-8


def prior_of(
    arms: Sequence[Collection[str]], effects: Mapping[str, tuple[float, float]], particular_variance: float
) -> Normal:
    """What is believed of arms nobody has sent yet.

    Args:
        arms: Tags of each arm.
        effects: Tag -> mean and standard deviation of its log effect; a tag that is not named has no effect.
        particular_variance: Variance of log rates between texts with the same tags; above 0.
    """
    tags = sorted(effects)
    carried = np.array([[float(tag in arm) for tag in tags] for arm in arms]).reshape(len(arms), len(tags))
    mean = np.array([effects[tag][0] for tag in tags])
    variance = np.array([effects[tag][1] ** 2 for tag in tags])
    return Normal(carried @ mean, carried * variance @ carried.T + particular_variance * np.eye(len(arms)))


def updated(prior: Normal, units: Floats, sums: Floats, dispersion: float = 1.0) -> Normal:
    """The belief after some batches.

    Args:
        units: People, shape (batches, arms).
        sums: Sums of the objective over them, same shape; 0 where there were no people.
        dispersion: Variance of a person's outcome over its mean: 1 for rare 0/1 outcomes, larger for counts and amounts.

    Raises:
        ValueError: if shapes differ, an outcome has no people, or something is negative.
    """
    if units.shape != sums.shape or units.shape[1:] != prior.mean.shape:
        raise ValueError(f"units {units.shape} and sums {sums.shape} are not (batches, {len(prior.mean)})")
    if (units < 0).any() or (sums < 0).any() or (sums[units == 0] != 0).any() or dispersion <= 0:
        raise ValueError("negative people, outcomes or dispersion, or outcomes of nobody")
    precision = np.linalg.inv(prior.covariance)
    counts = sums / dispersion
    totals = counts.sum(axis=1)
    here, at, hessian = units > 0, prior.mean.copy(), precision
    for _ in range(_STEPS):
        weighted = np.where(here, units, 0.0) * np.exp(at - at.max())
        expected = weighted / np.maximum(weighted.sum(axis=1, keepdims=True), np.finfo(float).tiny)
        gradient = (counts - totals[:, None] * expected).sum(axis=0) - precision @ (at - prior.mean)
        spread = totals[:, None] * expected
        hessian = precision + np.diag(spread.sum(axis=0)) - spread.T @ expected
        step = np.linalg.solve(hessian, gradient)
        at = at + step * min(
            1.0, 1.0 / max(np.abs(step).max(), 1e-300)
        )  # a log rate moves by one at most: no overshoot
        if np.abs(step).max() < _CLOSE:
            break
    covariance = np.linalg.inv(hessian)
    return Normal(at, (covariance + covariance.T) / 2)


def probabilities(
    belief: Normal, floors: Sequence[float], rng: np.random.Generator, *, width: float, draws: int = DRAWS
) -> Floats:
    """Chance of each arm in the next batch: its floor, and of what the floors leave the chance that it is the best.

    Args:
        floors: Smallest chance of each arm; they sum to 1 at most.
        width: Scale of the standard deviations in the draws; below 1 it sends more to the leaders.

    Returns:
        Shape (arms,), summing to 1.
    """
    least = np.asarray(floors, dtype=np.float64)
    if len(least) != len(belief.mean) or (least < 0).any() or least.sum() > 1 + 1e-9:
        raise ValueError("floors are one per arm, not negative, and sum to 1 at most")
    best = belief.draw(rng, draws, width).argmax(axis=1)
    chance = np.bincount(best, minlength=len(least)) / draws
    return np.asarray(least + max(0.0, 1 - least.sum()) * chance)
