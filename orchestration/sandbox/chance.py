"""Draws that belong to a thing, not to a moment: the same message gets the same luck in whatever order it is processed.

A draw is a hash of (seed, thing, purpose), so neither file order nor the size of the steps in which time advances can
change it. Mixing is the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
"""

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

Keys = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _mix(keys: Keys) -> Keys:
    mixed = keys + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)


class Chance:
    """All the luck of one world.

    Attributes:
        seed: Two worlds with the same seed have the same luck.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def of_names(self, names: Iterable[str]) -> Keys:
        """Keys of named things: shape (number of names,)."""
        return self._seeded(np.fromiter((_digest(name) for name in names), dtype=np.uint64))

    def of_numbers(self, kind: str, numbers: npt.NDArray[np.int64]) -> Keys:
        """Keys of numbered things of one kind: same shape as the numbers."""
        return self.derive(self._seeded(numbers.astype(np.uint64)), kind)

    def derive(self, keys: Keys, purpose: str) -> Keys:
        """Keys of something that belongs to each key, such as a person's third of May."""
        return _mix(keys ^ np.uint64(_digest(purpose)))

    def uniform(self, keys: Keys, purpose: str) -> Floats:
        """One number in the open interval (0, 1) per key."""
        return ((self.derive(keys, purpose) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53

    def happens(self, keys: Keys, purpose: str, probability: Floats | float) -> npt.NDArray[np.bool_]:
        """Whether something of the given probability happens to each key."""
        return np.asarray(self.uniform(keys, purpose) < probability)

    def normal(self, keys: Keys, purpose: str) -> Floats:
        """One standard normal number per key."""
        return np.asarray(ndtri(self.uniform(keys, purpose)), dtype=np.float64)

    def exponential(self, keys: Keys, purpose: str) -> Floats:
        """One exponential number of mean 1 per key."""
        return np.asarray(-np.log(self.uniform(keys, purpose)), dtype=np.float64)

    def _seeded(self, keys: Keys) -> Keys:
        return _mix(keys ^ np.uint64(_digest(f"seed {self.seed}")))
