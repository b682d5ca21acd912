"""A joint normal belief about log rates: what learning hands to allocation."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Normal:
    """A joint normal belief about the log rates of some arms, up to a constant that all share.

    Attributes:
        mean: Shape (arms,).
        covariance: Shape (arms, arms), positive definite.
    """

    mean: Floats
    covariance: Floats

    def draw(self, rng: np.random.Generator, draws: int, width: float) -> Floats:
        """Draws, shape (draws, arms), each with its mirror image; ``width`` scales the standard deviations."""
        root = np.linalg.cholesky(self.covariance)
        half = rng.standard_normal(((draws + 1) // 2, len(self.mean))) @ root.T
        return self.mean + width * np.concatenate([half, -half])[:draws]
