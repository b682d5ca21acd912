"""The formulas of the evidence engine once more, to test the SQL against.

Written from the papers, with scipy's distributions and root finders instead of closed forms wherever there are any;
shares nothing with the macros. All e-values are natural logarithms.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize, stats

Floats = NDArray[np.float64]


def log_e_mean(z: float, n: float, r: float) -> float:
    """Density of z with a mean drawn from N(0, n r) over that with mean 0 (Waudby-Smith et al., arXiv 2103.06476)."""
    return float(stats.norm.logpdf(z, scale=np.sqrt(1 + n * r)) - stats.norm.logpdf(z))


def tuning_constant(alpha: float, planned_units: float) -> float:
    """r that makes the sequence about tightest at the planned number of units (same paper, appendix on tuning)."""
    bar = np.log(1 / alpha**2)
    return float((bar + np.log1p(bar)) / planned_units)


def half_width(standard_error: float, n: float, r: float, alpha: float) -> float:
    """Half the confidence sequence: the z whose e-value is 1 / alpha, found numerically, in standard errors."""
    return standard_error * _root(lambda z: log_e_mean(z, n, r) + np.log(alpha))


def log_e_srm(counts: Sequence[float], shares: Sequence[float], strength: float) -> float:
    """Dirichlet-multinomial against multinomial with the planned shares (Lindon and Malek 2022, arXiv 2011.03567)."""
    seen, planned = np.asarray(counts, dtype=np.int64), np.asarray(shares)
    mixed = stats.dirichlet_multinomial.logpmf(seen, strength * planned, seen.sum())
    return float(mixed - stats.multinomial.logpmf(seen, seen.sum(), planned))


def log_e_t(x: Sequence[float], rho: float, least: int = 5) -> float:
    """Anytime-valid t-test after the replicates x: an effect widens t by sqrt(1 + K rho) (Gonen et al. 2005)."""
    k = len(x)
    if k < least:
        return 0.0
    return _log_e_of_t(np.mean(x) / (np.std(x, ddof=1) / np.sqrt(k)), k, rho)


def _log_e_of_t(t: float, k: int, rho: float) -> float:
    return float(stats.t.logpdf(t, k - 1, scale=np.sqrt(1 + k * rho)) - stats.t.logpdf(t, k - 1))


def log_e_robust(x: Sequence[float], r: float) -> float:
    """exp(a S - a^2 V / 2) mixed over a from N(0, r); S sums x, V its squares (de la Pena, Lai and Shao 2009)."""
    total, square = float(np.sum(x)), float(np.sum(np.square(x)))
    if square == 0:
        return 0.0
    mixed = stats.norm.logpdf(total, scale=np.sqrt(square + r * square**2))
    return float(mixed - stats.norm.logpdf(total, scale=np.sqrt(square)))


def e_bh(log_e: Sequence[float], q: float) -> int:
    """How many of the claims e-BH keeps, the largest first (Wang and Ramdas 2022, arXiv 2009.02824)."""
    ordered = sorted(log_e, reverse=True)
    return max((k for k, value in enumerate(ordered, 1) if value + np.log(q * k / len(ordered)) >= 0), default=0)


def t_interval(x: Sequence[float], errors: Sequence[float], rho: float, log_bar: float) -> tuple[float, float] | None:
    """Effects that the t-test does not reject at e-value exp(log_bar); None while no t reaches the bar.

    Args:
        x: Contrasts divided by their errors.
        errors: Errors of the contrasts; the mean of their inverses turns x back.
    """
    k = len(x)
    if k < 2 or _log_e_of_t(1e9, k, rho) <= log_bar:
        return None
    reach = _root(lambda t: _log_e_of_t(t, k, rho) - log_bar) * np.std(x, ddof=1) / np.sqrt(k)
    scale = float(np.mean(1 / np.asarray(errors)))
    return (float(np.mean(x)) - reach) / scale, (float(np.mean(x)) + reach) / scale


def _root(function: Callable[[float], float]) -> float:
    high = 1.0
    while function(high) < 0:
        high *= 2
    return float(optimize.brentq(function, 0, high, xtol=1e-14, rtol=1e-14))


def trend(x: Floats, y: Floats, weight: Floats, prior_sd: float, alpha: float) -> tuple[float, float, float] | None:
    """Weighted slope of y over x and the slopes that a t-test does not reject at e-value 1 / alpha; None while it rejects none.

    The level of the line is integrated out of both hypotheses by a basis free of it, and so is the scale, of which the weights tell the
    least (Perez-Ortiz et al. 2024).
    """
    free = linalg.null_space(np.ones((1, len(x))))
    white = np.linalg.inv(np.linalg.cholesky(free.T @ np.diag(1 / weight) @ free))
    design, rest = white @ free.T @ x, white @ free.T @ y
    information = float(design @ design)
    slope = float(design @ rest) / information
    freedom = len(x) - 2
    spread = max(float(np.sum((rest - slope * design) ** 2)) / freedom, 1.0)
    reach = _t_at(freedom, prior_sd**2 * information, -float(np.log(alpha)))
    return (
        None if reach is None else (slope, *(slope + side * reach * np.sqrt(spread / information) for side in (-1, 1)))
    )


def mean_of_cycles(
    units: Floats, difference: Floats, least_error: float, prior: float, alpha: float
) -> tuple[float, float] | None:
    """Mean differences that a t-test over cycles, each as precise as its units are many, does not reject at e-value 1 / alpha."""
    mean = float(np.average(difference, weights=units))
    spread = float(units @ (difference - mean) ** 2) / (len(units) - 1) / float(units.sum())
    reach = _t_at(len(units) - 1, prior * float(units.sum()), -float(np.log(alpha)))
    error = max(np.sqrt(spread), least_error)
    return None if reach is None else (mean - reach * error, mean + reach * error)


def _t_at(freedom: int, spread: float, log_bar: float) -> float | None:
    """t at which its density, widened by sqrt(1 + spread), exceeds the plain one by exp(log_bar)."""

    def log_e(t: float) -> float:
        return float(stats.t.logpdf(t, freedom, scale=np.sqrt(1 + spread)) - stats.t.logpdf(t, freedom))

    return None if log_e(1e9) <= log_bar else _root(lambda t: log_e(t) - log_bar)


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm of one segment: its log rate, the sampling variance of it and its tags."""

    segment: str
    creative: str
    log_rate: float
    variance: float
    tags: frozenset[str]


Sums = tuple[float, float, float]


def log_rates(arms: Mapping[str, Sums], is_binary: bool) -> dict[str, tuple[float, float]]:
    """Log rate and its sampling variance (delta method) of each arm of a comparison that has one.

    Args:
        arms: Creative -> people, sum and sum of squares of their outcomes. What varies is taken from all of them together.
    """
    people, total, _ = np.array(list(arms.values())).sum(axis=0)
    if is_binary:
        share = (total + 0.5) / (people + 1)
        spread = (1 - share) / share
        return {name: (float(np.log((y + 0.5) / (n + 1))), spread / n) for name, (n, y, _) in arms.items()}
    if total <= 0:
        return {}
    inside = sum(y2 - n * (y / n) ** 2 for n, y, y2 in arms.values())
    spread = inside / sum(n - 1 for n, _, _ in arms.values()) / (total / people) ** 2
    # E ln(mean) = ln(expectation) - var(mean) / (2 expectation^2) + ...
    return {
        name: (float(np.log(y / n)) + spread / n / 2, spread / n)
        for name, (n, y, _) in arms.items()
        if y > 0 and spread > 0
    }


def creative_variance(comparisons: Collection[Sequence[Arm]]) -> float:
    """Variance between creatives of a comparison beyond sampling, at least 0 (DerSimonian and Laird 1986)."""
    excess = capacity = 0.0
    for arms in comparisons:
        w, y = np.array([1 / arm.variance for arm in arms]), np.array([arm.log_rate for arm in arms])
        excess += float(w @ (y - np.average(y, weights=w)) ** 2) - (len(arms) - 1)
        capacity += float(w.sum() - (w @ w) / w.sum())
    return max(excess / capacity, 0.0) if capacity > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Contrast:
    """Log rate with a tag minus without it, from people (`variance`) and from creatives that vary by tau2 each."""

    value: float
    variance: float
    arms_with: float
    arms_without: float
    is_matched: bool
    tau2: float

    @property
    def error(self) -> float:
        return float(np.sqrt(self.variance + self.tau2 * (1 / self.arms_with + 1 / self.arms_without)))


def tag_contrasts(arms: Sequence[Arm], tag: str, tau2: float, *, by_design: bool = False) -> dict[str, Contrast]:
    """Contrast of a tag in one experiment by segment, and over the segments as "all", where it can be told."""
    found = {}
    for segment in sorted({arm.segment for arm in arms}):
        here = [arm for arm in arms if arm.segment == segment]
        twins = [
            ([a for a in here if a.tags == tags], [a for a in here if a.tags == tags - {tag}])
            for tags in {arm.tags for arm in here if tag in arm.tags}
        ]
        matched = [pair for pair in twins if pair[1]]
        free = ([a for a in here if tag in a.tags], [a for a in here if tag not in a.tags])
        pairs = matched or ([free] if free[0] and free[1] and not by_design else [])
        if pairs:
            told = [(_mean(have, tau2), _mean(lack, tau2)) for have, lack in pairs]
            value, variance = _combined([(have[0] - lack[0], have[1] + lack[1]) for have, lack in told])
            arms_with, arms_without = (float(sum(len(pair[side]) for pair in pairs)) for side in (0, 1))
            found[segment] = Contrast(value, variance, arms_with, arms_without, bool(matched), tau2)
    if not found:
        return {}
    repeats = len(arms) / len({arm.creative for arm in arms})
    value, variance = _combined([(one.value, one.variance) for one in found.values()])
    arms_with = max(sum(one.arms_with for one in found.values()) / repeats, 1.0)
    arms_without = max(sum(one.arms_without for one in found.values()) / repeats, 1.0)
    is_matched = all(one.is_matched for one in found.values())
    return {**found, "all": Contrast(value, variance, arms_with, arms_without, is_matched, tau2)}


def _combined(told: Sequence[tuple[float, float]]) -> tuple[float, float]:
    precision = np.array([1 / variance for _, variance in told])
    return float(np.average([value for value, _ in told], weights=precision)), float(1 / precision.sum())


def _mean(arms: Sequence[Arm], tau2: float) -> tuple[float, float]:
    w = np.array([1 / (arm.variance + tau2) for arm in arms])
    w /= w.sum()
    return float(w @ [arm.log_rate for arm in arms]), float(w**2 @ [arm.variance for arm in arms])


def cuped_difference(
    arm: int, baseline: int, groups: NDArray[np.int64], y: Floats, x: Floats
) -> tuple[float, float, float, float]:
    """Means of an arm and the baseline adjusted for x, and the standard errors of their difference and of the lift.

    Args:
        groups: Arm of each person; theta is the slope within arms, of all arms (Deng, Xu, Kohavi and Walker 2013).
    """
    inside_y, inside_x = y.astype(float).copy(), x.astype(float).copy()
    for group in np.unique(groups):
        inside_y[groups == group] -= y[groups == group].mean()
        inside_x[groups == group] -= x[groups == group].mean()
    theta = float(inside_x @ inside_y / (inside_x @ inside_x)) if inside_x.any() else 0.0
    adjusted = y - theta * (x - x.mean())
    one, other = adjusted[groups == arm], adjusted[groups == baseline]
    errors = one.var(ddof=1) / one.size, other.var(ddof=1) / other.size
    lift_error = one.mean() / other.mean() * np.sqrt(errors[0] / one.mean() ** 2 + errors[1] / other.mean() ** 2)
    return float(one.mean()), float(other.mean()), float(np.sqrt(sum(errors))), float(lift_error)


def complier_effect(y: tuple[Floats, Floats], reached: tuple[Floats, Floats]) -> tuple[float, float]:
    """Effect on those whom the message reached and its delta-method error, from people of (arm, baseline)."""
    covariances = [np.cov(y[side], reached[side], ddof=1) / y[side].size for side in (0, 1)]
    joint = covariances[0] + covariances[1]
    difference, gap = y[0].mean() - y[1].mean(), reached[0].mean() - reached[1].mean()
    gradient = np.array([1 / gap, -difference / gap**2])
    return float(difference / gap), float(np.sqrt(gradient @ joint @ gradient))
