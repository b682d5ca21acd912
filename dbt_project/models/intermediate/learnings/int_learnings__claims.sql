-- One row per program, metric, segment and tag that was ever tried: a claim, and the looks it has been under since.

select
    claim_key,
    any_value(program) as program,
    any_value(metric) as metric,
    any_value(segment) as segment,
    any_value(tag) as tag,
    {{ key_of(['any_value(program)', 'any_value(metric)']) }} as family_key,
    {{ key_of(['any_value(program)', 'any_value(metric)', 'any_value(tag)']) }} as tag_family_key,
    any_value(segment) = 'all' as is_pooled,
    min(cycle_number) as first_cycle_number
from {{ ref('int_learnings__tag_contrasts') }}
group by claim_key
