"""Thresholds of the policy seed for code that runs where no warehouse may be opened."""

import csv
from pathlib import Path

POLICY = Path(__file__).parents[2] / "dbt_project" / "seeds" / "policy.csv"


def whole_number(name: str) -> int:
    """A threshold that counts something."""
    with POLICY.open(encoding="utf-8", newline="") as stream:
        return next(int(float(row["value"])) for row in csv.DictReader(stream) if row["name"] == name)
