"""Who gets what: a salted hash, the same in SQL and in Python.

The unit number of a person is the first 52 bits of sha256("<salt>/<user_id>") in UTF-8 as a fraction of 2^52, so it is exact in a
double. The arm is the one whose interval of cumulated shares holds that number. A person is dealt in this order:

    not reached    "<program>/ramp"              at or above the share of the ramp's level
    not reached    "<group>/layer/<week>"        outside the program's part of its exclusion group
    not yet        "<salt>/batch"                floor(number * batches) + 1 is the batch
    holdout        "*/holdout"                   below the share held out from everything
    holdout        "<program>/holdout"           below the program's own share
    an arm         "<salt>", that is "<program>/<cycle>/<send>"

``assignment_vector.json`` is the reference: salts, people and their numbers, for whoever deals in another system.
"""

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

UNIT_NUMBER_SQL = "cast('0x' || substr(sha256({salt} || '/' || user_id), 1, 13) as bigint) / 4503599627370496.0"


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm of one segment, in the order of the unit interval."""

    creative_id: str
    role: str
    share: float


def unit_number(salt: str, user_id: str) -> float:
    """A number in [0, 1) that depends on salt and person alone."""
    return int(hashlib.sha256(f"{salt}/{user_id}".encode()).hexdigest()[:13], 16) / 2**52


def is_held_out(program: str, user_id: str, share: float) -> bool:
    """Whether a person is in the program's holdout: the same people in every experiment."""
    return unit_number(f"{program}/holdout", user_id) < share


def arm_of(salt: str, user_id: str, arms: Sequence[Arm]) -> Arm:
    """The arm of a person who is not held out; the last arm takes what rounding leaves over."""
    number, bound = unit_number(salt, user_id), 0.0
    for arm in arms[:-1]:
        bound += arm.share
        if number < bound:
            return arm
    return arms[-1]


def bounds(arms: Sequence[Arm]) -> list[tuple[float, float]]:
    """The arms' intervals on the unit interval, added up in the same order as :func:`arm_of` adds them."""
    edges = [0.0]
    for arm in arms[:-1]:
        edges.append(edges[-1] + arm.share)
    edges.append(1.0)
    return list(itertools.pairwise(edges))
