-- One row per claim and cycle: running sums of the contrasts weighted by their precision, from which the size of an effect is estimated.
-- Where a claim has randomised experiments they alone count; else the platform's, for a hypothesis.

with

contrasts as (
    select * from {{ ref('int_learnings__tag_contrasts') }}
),

looks as (
    select * from {{ ref('int_learnings__tag_totals') }}
),

by_cycle as (
    select
        claim_key,
        cycle_number,
        is_randomised,
        {{ exact_sum('contrast / power(contrast_error, 2)') }} as weighted,
        {{ exact_sum('1 / contrast_error') }} as precision_root,
        {{ exact_sum('1 / power(contrast_error, 2)') }} as weight,
        {{ exact_sum('1 / power(contrast_error, 4)') }} as squared_weight
    from contrasts
    group by claim_key, cycle_number, is_randomised
)

select
    looks.claim_key,
    looks.cycle_number,
    {% for name in ['weighted', 'precision_root', 'weight', 'squared_weight'] %}
    cast(sum(by_cycle.{{ name }}) over so_far as double) as {{ name }}{{ ',' if not loop.last }}
    {% endfor %}
from looks
left join by_cycle
    on
        looks.claim_key = by_cycle.claim_key
        and looks.cycle_number = by_cycle.cycle_number
        and by_cycle.is_randomised = (looks.last_tried_number is not null)
window so_far as (
    partition by looks.claim_key, looks.last_tried_number is not null
    order by looks.cycle_number
    rows between unbounded preceding and current row
)
