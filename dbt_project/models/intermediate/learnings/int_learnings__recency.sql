-- One row per claim and cycle: how its recent experiments lean, each counting half as much after every half-life.
-- Weights grow by 2 with every half-life, so that earlier sums need not be taken anew; they start again from 1 with every epoch of 16
-- half-lives, so that no program is too old for them.

{% set half_lives = 16 %}

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

aged as (
    select
        contrasts.claim_key,
        contrasts.cycle_number,
        contrasts.standardised_contrast,
        floor(contrasts.cycle_number / (policy.half_life_cycles * {{ half_lives }})) as epoch,
        contrasts.cycle_number / policy.half_life_cycles as age
    from contrasts
    inner join policy on contrasts.program = policy.program
),

by_cycle as (
    select
        claim_key,
        cycle_number,
        epoch,
        {{ exact_sum('standardised_contrast * power(2, age - epoch * ' ~ half_lives ~ ')') }} as total,
        {{ exact_sum('power(2, 2 * (age - epoch * ' ~ half_lives ~ '))') }} as square
    from aged
    group by claim_key, cycle_number, epoch
),

by_epoch as (
    select
        claim_key,
        epoch,
        cast(sum(total) as double) as total,
        cast(sum(square) as double) as square
    from by_cycle
    group by claim_key, epoch
),

-- What earlier epochs still weigh in a later one.
carried as (
    select
        later.claim_key,
        later.epoch,
        {{ exact_sum('earlier.total * power(2, ' ~ half_lives ~ ' * (earlier.epoch - later.epoch))') }} as total,
        {{ exact_sum('earlier.square * power(2, 2 * ' ~ half_lives ~ ' * (earlier.epoch - later.epoch))') }} as square
    from by_epoch as later
    inner join by_epoch as earlier on later.claim_key = earlier.claim_key and earlier.epoch < later.epoch
    group by later.claim_key, later.epoch
),

so_far as (
    select
        by_cycle.claim_key,
        by_cycle.cycle_number,
        cast(sum(by_cycle.total) over running as double) + coalesce(cast(carried.total as double), 0) as total,
        cast(sum(by_cycle.square) over running as double) + coalesce(cast(carried.square as double), 0) as square
    from by_cycle
    left join carried on by_cycle.claim_key = carried.claim_key and by_cycle.epoch = carried.epoch
    window running as (
        partition by by_cycle.claim_key, by_cycle.epoch
        order by by_cycle.cycle_number
        rows between unbounded preceding and current row
    )
)

-- All weights shrink alike while nothing new closes: the last answer holds.
select
    looks.claim_key,
    looks.cycle_number,
    so_far.total / nullif(sqrt(so_far.square), 0) as recent_z
from looks
left join so_far on looks.claim_key = so_far.claim_key and looks.last_tried_number = so_far.cycle_number
