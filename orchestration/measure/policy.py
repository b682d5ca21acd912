"""Thresholds of intake: rows of the policy seed, read where no warehouse is built yet."""

import csv
from functools import cache
from pathlib import Path

POLICY = Path(__file__).parents[2] / "dbt_project" / "seeds" / "policy.csv"


@cache
def _policy() -> dict[str, float]:
    with POLICY.open(encoding="utf-8", newline="") as stream:
        return {row["name"]: float(row["value"]) for row in csv.DictReader(stream)}


def policy_value(name: str) -> float:
    """A threshold, in the unit its description says."""
    return _policy()[name]
