-- A learning that the evidence does not carry at that very look must not exist, whatever the rules of the life cycle say.

{{ config(meta={'dagster': {'ref': {'name': 'learnings'}}}) }}

select
    learnings.program,
    learnings.metric,
    learnings.segment,
    learnings.tag,
    learnings.cycle
from {{ ref('learnings') }} as learnings
left join {{ ref('tag_evidence') }} as evidence
    on
        learnings.program = evidence.program
        and learnings.metric = evidence.metric
        and learnings.segment = evidence.segment
        and learnings.tag = evidence.tag
        and learnings.cycle = evidence.cycle
where learnings.status = 'active' and not coalesce(evidence.is_supported, false)
