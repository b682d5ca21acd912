"""How many people, experiments and weeks a stated effect needs, or that a list is too small to learn it.

The standardised contrast of one experiment has mean delta = effect / sqrt(v + 2 tau2) and variance 1, with v the sampling variance of
the pooled log rate ratio and tau2 the variance between creatives; the waiting time of the anytime-valid t-test (statistics.md,
section 5) then depends on delta alone and is found by simulating it.
"""

import math
from dataclasses import dataclass

import numpy as np

from orchestration.learn.policy import policy

LONGEST = 1000  # experiments after which a plan gives up
PATHS = 4000


@dataclass(frozen=True, slots=True)
class Plan:
    """What an effect needs.

    Attributes:
        signal: Mean of one experiment's standardised contrast.
        experiments: Experiments until 80 % of true effects are proved, or None if even ``LONGEST`` do not suffice.
        weeks: The same in weeks, or None.
        people: People in the two arms of one experiment that are compared.
    """

    effect: float
    signal: float
    experiments: int | None
    weeks: float | None
    people: int


def plan(
    *,
    effect: float,
    rate: float,
    people_per_arm: int,
    experiments_per_week: float,
    tags: int,
    creative_sd: float = 0.1,
    power: float = 0.8,
    seed: int = 0,
) -> Plan:
    """Plans one tag of a family.

    Args:
        effect: Relative change of the rate, 0.1 for +10 %.
        rate: Conversions per person.
        people_per_arm: People in each of the two compared arms of an experiment, all segments together.
        experiments_per_week: Experiments a week in which this tag is varied.
        tags: Claims in the family; e-BH asks the first one for tags / q.
        creative_sd: Log standard deviation between creatives for reasons that are not tags.

    Returns:
        The plan; ``experiments`` is None where the list is too small to learn this.
    """
    thresholds = policy()
    rho, least = thresholds["effect_prior_variance"], thresholds["min_experiments"]
    variance = 2 * (1 / (people_per_arm * rate) - 1 / people_per_arm)
    signal = math.log1p(effect) / math.sqrt(variance + 2 * creative_sd**2)
    x = np.random.default_rng(seed).normal(abs(signal), 1, size=(PATHS, LONGEST))
    k = np.arange(1, LONGEST + 1)
    total, square = x.cumsum(axis=1), (x**2).cumsum(axis=1)
    nu = np.maximum(k - 1, 1)
    t2 = total**2 / k / np.maximum((square - total**2 / k) / nu, 1e-12)
    log_e = (nu + 1) / 2 * (np.log1p(t2 / nu) - np.log1p(t2 / (nu * (1 + k * rho)))) - np.log1p(k * rho) / 2
    proved = (log_e >= math.log(tags / thresholds["false_discovery_rate"])) & (k >= least)
    waits = np.sort(np.where(proved.any(axis=1), proved.argmax(axis=1) + 1, LONGEST + 1))
    needed = int(waits[math.ceil(power * PATHS) - 1])
    experiments = needed if needed <= LONGEST else None
    weeks = None if experiments is None else experiments / experiments_per_week
    return Plan(effect, signal, experiments, weeks, 2 * people_per_arm)
