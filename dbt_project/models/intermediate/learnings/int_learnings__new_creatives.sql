-- One row per claim and cycle: distinct texts that carried the tag for the first time in a closed randomised experiment. A text seen before its tag
-- first varied counts from there on.

with

comparisons as (
    select
        comparisons.comparison_key,
        comparisons.program,
        comparisons.metric,
        comparisons.segment,
        cycles.cycle_number
    from {{ ref('int_experiments__comparisons') }} as comparisons
    inner join {{ ref('int_learnings__cycles') }} as cycles
        on comparisons.program = cycles.program and comparisons.entered_in_cycle = cycles.cycle
),

claims as (
    select * from {{ ref('int_learnings__claims') }}
),

carriers as (
    select
        {{ key_of(['comparisons.program', 'comparisons.metric', 'comparisons.segment', 'tags.tag']) }} as claim_key,
        {{ key_of(['comparisons.program', 'comparisons.metric', "'all'", 'tags.tag']) }} as pooled_claim_key,
        closed.text_key,
        comparisons.cycle_number
    from {{ ref('int_experiments__closed_arms') }} as closed
    inner join comparisons on closed.comparison_key = comparisons.comparison_key
    inner join {{ ref('int_experiments__arm_tags') }} as tags on closed.creative_key = tags.creative_key
    where closed.is_randomised
),

by_segment as (
    select
        claim_key,
        pooled_claim_key,
        text_key,
        min(cycle_number) as cycle_number
    from carriers
    group by claim_key, pooled_claim_key, text_key
),

both_levels as (
    select
        pooled_claim_key as claim_key,
        text_key,
        min(cycle_number) as cycle_number
    from by_segment
    group by pooled_claim_key, text_key
    union all
    select
        claim_key,
        text_key,
        cycle_number
    from by_segment
    where claim_key <> pooled_claim_key
)

select
    claims.claim_key,
    greatest(both_levels.cycle_number, claims.first_cycle_number) as cycle_number,
    count(*) as creatives
from both_levels
inner join claims on both_levels.claim_key = claims.claim_key
group by claims.claim_key, greatest(both_levels.cycle_number, claims.first_cycle_number)
