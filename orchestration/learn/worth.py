"""What knowing a tag's effect would be worth: ranks hypotheses for the brief and for the design of experiments."""

import math

from orchestration.learn.policy import policy
from orchestration.learn.reading import Posterior


def worth_of_knowing(posterior: Posterior | None) -> float:
    """Expected loss of choosing by the posterior mean, with a share of the effect itself while it is unproved.

    sd * (phi(z) - z Phi(-z)) with z = |mean| / sd (Raiffa and Schlaifer 1961); the share lets what is likely true be
    proved too. A tag nobody has tried has the prior.
    """
    mean, sd = (posterior.mean, posterior.sd) if posterior else (0.0, untried_sd())
    z = abs(mean) / sd
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    tail = math.erfc(z / math.sqrt(2)) / 2
    return sd * (density - z * tail) + abs(mean) / 4 + 0.002


def untried_sd() -> float:
    """Standard deviation of the effect of a tag nobody has tried."""
    return math.sqrt(policy()["choice_prior_variance"])
