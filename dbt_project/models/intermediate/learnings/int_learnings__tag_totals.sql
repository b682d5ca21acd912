-- One row per claim and cycle since the tag was first tried: running sums over the experiments closed by then.
-- The replicate is the experiment, never the impression: creatives differ for reasons that are not the tag.

with

contrasts as (
    select
        *,
        case when is_randomised then 1e0 else 0e0 end as counts
    from {{ ref('int_learnings__tag_contrasts') }}
),

claims as (
    select * from {{ ref('int_learnings__claims') }}
),

cycles as (
    select * from {{ ref('int_learnings__cycles') }}
),

new_creatives as (
    select * from {{ ref('int_learnings__new_creatives') }}
),

by_cycle as (
    select
        claim_key,
        cycle_number,
        sum(cast(counts as integer)) as experiments,
        count(*) as all_experiments,
        count(*) filter (where grade = 'designed') as designed_experiments,
        {{ exact_sum('counts * standardised_contrast') }} as total,
        {{ exact_sum('counts * standardised_contrast * standardised_contrast') }} as total_square
    from contrasts
    group by claim_key, cycle_number
),

looks as (
    select
        claims.claim_key,
        claims.family_key,
        claims.is_pooled,
        claims.program,
        cycles.cycle,
        cycles.cycle_number
    from claims
    inner join cycles on claims.program = cycles.program and claims.first_cycle_number <= cycles.cycle_number
)

select
    looks.claim_key,
    looks.family_key,
    looks.is_pooled,
    looks.program,
    looks.cycle,
    looks.cycle_number,
    {% for name in ['experiments', 'all_experiments', 'designed_experiments', 'creatives'] %}
    cast(coalesce(sum({{ name }}) over so_far, 0) as bigint) as {{ name }},
    {% endfor %}
    max(case when by_cycle.experiments > 0 then looks.cycle_number end) over so_far as last_tried_number,
    {% for name in ['total', 'total_square'] %}
    cast(sum({{ name }}) over so_far as double) as {{ name }}{{ ',' if not loop.last }}
    {% endfor %}
from looks
left join by_cycle on looks.claim_key = by_cycle.claim_key and looks.cycle_number = by_cycle.cycle_number
left join new_creatives on looks.claim_key = new_creatives.claim_key and looks.cycle_number = new_creatives.cycle_number
window so_far as (
    partition by looks.claim_key
    order by looks.cycle_number
    rows between unbounded preceding and current row
)
