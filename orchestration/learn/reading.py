"""Reads what the marts say, as records; computes nothing."""

import math
from dataclasses import dataclass
from typing import Any

from orchestration.edges.warehouse import Warehouse
from orchestration.records import Learning


@dataclass(frozen=True, slots=True)
class Posterior:
    """What choices may lean on: the posterior of one tag's log effect in one segment (``"all"``: pooled)."""

    segment: str
    tag: str
    mean: float
    sd: float
    experiments: int


def learnings_as_of(warehouse: Warehouse, program: str, metric: str, cycle: int) -> list[Learning]:
    """Rows of ``marts.learnings`` of the last cycle up to the given one, ordered by segment and tag."""
    rows = warehouse.rows(
        """
        select evidence_id, program, cycle, metric, segment, tag, status, grade, effect, ci_low, ci_high, log_e_value,
            n_experiments, n_creatives, expected_value, reason
        from marts.learnings
        where program = $program and metric = $metric
            and cycle = (select max(cycle) from marts.learnings where program = $program and metric = $metric and cycle <= $cycle)
        order by segment, tag
        """,
        {"program": program, "metric": metric, "cycle": cycle},
    )
    return [Learning(**_finite(row)) for row in rows]


def posteriors_as_of(warehouse: Warehouse, program: str, metric: str, cycle: int) -> list[Posterior]:
    """Rows of ``marts.tag_posteriors`` of the last cycle up to the given one, ordered by segment and tag."""
    rows = warehouse.rows(
        """
        select segment, tag, posterior_mean as mean, posterior_sd as sd, experiments
        from marts.tag_posteriors
        where program = $program and metric = $metric
            and cycle = (select max(cycle) from marts.tag_posteriors where program = $program and metric = $metric and cycle <= $cycle)
        order by segment, tag
        """,
        {"program": program, "metric": metric, "cycle": cycle},
    )
    return [Posterior(**row) for row in rows]


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}
