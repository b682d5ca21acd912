-- One row per claim and cycle: how its recent experiments lean, each counting half as much after every half-life.
-- Sums of x * 2^(cycle / half-life) grow by the newest alone, so that a day's cost does not depend on history.

with

contrasts as (
    select * from {{ ref('int_learnings__tag_contrasts') }} where is_randomised
),

looks as (
    select * from {{ ref('int_learnings__tag_totals') }}
),

policy as (
    select * from {{ ref('int_policy') }}
),

by_cycle as (
    select
        contrasts.claim_key,
        contrasts.cycle_number,
        {{ exact_sum('contrasts.standardised_contrast * power(2, contrasts.cycle_number / policy.half_life_cycles)') }} as total,
        {{ exact_sum('power(2, contrasts.cycle_number * 2 / policy.half_life_cycles)') }} as square
    from contrasts
    inner join policy on contrasts.program = policy.program
    group by contrasts.claim_key, contrasts.cycle_number
)

select
    looks.claim_key,
    looks.cycle_number,
    cast(sum(by_cycle.total) over so_far as double) / nullif(sqrt(cast(sum(by_cycle.square) over so_far as double)), 0) as recent_z
from looks
left join by_cycle on looks.claim_key = by_cycle.claim_key and looks.cycle_number = by_cycle.cycle_number
window so_far as (
    partition by looks.claim_key
    order by looks.cycle_number
    rows between unbounded preceding and current row
)
