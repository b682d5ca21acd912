-- One row per program, metric, segment and tag: the claim as it stands in the program's latest cycle.

with

learnings as (
    select * from {{ ref('learnings') }}
),

latest as (
    select
        program,
        max(cycle) as cycle
    from learnings
    group by program
)

select
    learnings.evidence_id,
    learnings.program,
    learnings.metric,
    learnings.segment,
    learnings.tag,
    learnings.cycle,
    learnings.status,
    learnings.grade,
    learnings.effect,
    learnings.ci_low,
    learnings.ci_high,
    learnings.n_experiments,
    learnings.n_creatives,
    learnings.expected_value,
    learnings.reason,
    learnings.review_by
from learnings
inner join latest on learnings.program = latest.program and learnings.cycle = latest.cycle
