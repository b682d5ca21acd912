"""The thresholds of the policy seed, for Python that plans and designs; dbt reads the same rows."""

import csv
from functools import cache
from pathlib import Path
from types import MappingProxyType

POLICY = Path(__file__).parents[2] / "dbt_project" / "seeds" / "policy.csv"


@cache
def policy() -> MappingProxyType[str, float]:
    """Every threshold by its name, as the seed has it; a program's own overrides are applied by int_policy alone."""
    with POLICY.open(encoding="utf-8", newline="") as lines:
        return MappingProxyType({row["name"]: float(row["value"]) for row in csv.DictReader(lines)})
