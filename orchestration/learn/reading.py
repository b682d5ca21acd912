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
        with seen as (
            select *, dense_rank() over (order by cycle) as look
            from marts.learnings
            where program = $program and metric = $metric and cycle <= $cycle
        ),
        broken as (
            select *, coalesce(max(look) filter (where status <> 'active') over (partition by segment, tag), 0) as last_other_look
            from seen
        ),
        runs as (
            select *, min(cycle) filter (where look > last_other_look) over (partition by segment, tag) as run_since,
                count(*) filter (where look > last_other_look) over (partition by segment, tag) as run_looks,
                max(look) over () as last_look
            from broken
        )
        select evidence_id, program, cycle, metric, segment, tag, status, grade, effect, ci_low, ci_high, log_e_value,
            n_experiments, n_creatives, expected_value, reason,
            case when status = 'active' then run_since end as since_cycle,
            case when status = 'active' then run_looks end as age_cycles
        from runs
        where look = last_look
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


@dataclass(frozen=True, slots=True)
class SentText:
    """A text as one closed experiment saw it in one segment.

    Attributes:
        comparison: Names experiment and segment: what the log rate is comparable within.
        tags: Steered tags of the text.
        did_harm: Whether it was stopped in that experiment, for complaints or for harm of a guardrail.
    """

    comparison: str
    segment: str
    role: str
    text: str
    tags: tuple[str, ...]
    log_rate: float
    variance: float
    did_harm: bool = False


def sent_texts(warehouse: Warehouse, program: str, metric: str, cycle: int, cycles: int) -> list[SentText]:
    """Texts of experiments that entered the evidence in the last few cycles up to the given one, in a fixed order."""
    rows = warehouse.rows(
        """
        with compared as (
            select *, dense_rank() over (order by entered_in_cycle desc) as cycles_ago
            from intermediate.int_experiments__comparisons
            where program = $program and metric = $metric and entered_in_cycle <= $cycle
        ),
        tags as (
            select experiment_id, creative_id, list(tag order by tag) as tags
            from intermediate.int_experiments__arm_tags
            where program = $program
            group by experiment_id, creative_id
        ),
        harmful as (
            select experiment_id, creative_id from marts.experiment_verdicts
            where program = $program and verdict = 'stopped_for_harm' and cycle <= $cycle
            union
            select experiment_id, creative_id from marts.experiment_complaints where program = $program and is_stopped
            union
            select experiment_id, creative_id from ledger.allocations where reason like 'stopped: %'
        )
        select compared.experiment_id || '/' || compared.segment as comparison, compared.segment, arms.role, arms.text,
            coalesce(tags.tags, []) as tags, closed.log_rate, closed.sampling_variance as variance,
            harmful.creative_id is not null as did_harm
        from compared
        inner join intermediate.int_experiments__closed_arms as closed on compared.comparison_key = closed.comparison_key
        inner join intermediate.int_experiments__arms as arms on closed.arm_key = arms.arm_key
        left join tags on arms.experiment_id = tags.experiment_id and arms.creative_id = tags.creative_id
        left join harmful on arms.experiment_id = harmful.experiment_id and arms.creative_id = harmful.creative_id
        where compared.cycles_ago <= $cycles and arms.text is not null
        order by compared.entered_in_cycle, comparison, arms.creative_id
        """,
        {"program": program, "metric": metric, "cycle": cycle, "cycles": cycles},
    )
    return [SentText(**{**row, "tags": tuple(row["tags"])}) for row in rows]


def policy_values(warehouse: Warehouse) -> dict[str, float]:
    """The policy seed as the warehouse holds it."""
    return {row["name"]: row["value"] for row in warehouse.rows("select name, value from policy.policy")}


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}
