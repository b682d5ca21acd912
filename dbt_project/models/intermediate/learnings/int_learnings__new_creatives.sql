-- One row per claim and cycle: distinct texts that carried the tag for the first time in a closed experiment. A text seen before its tag
-- first varied counts from there on.

with

comparisons as (
    select * from {{ ref('int_experiments__comparisons') }}
),

cycles as (
    select * from {{ ref('int_learnings__cycles') }}
),

claims as (
    select * from {{ ref('int_learnings__claims') }}
),

carriers as (
    select
        comparisons.program,
        comparisons.metric,
        comparisons.segment,
        tags.tag,
        closed.text_key,
        min(comparisons.entered_in_cycle) as cycle
    from {{ ref('int_experiments__closed_arms') }} as closed
    inner join comparisons on closed.comparison_key = comparisons.comparison_key
    inner join {{ ref('int_experiments__arm_tags') }} as tags on closed.creative_key = tags.creative_key
    group by comparisons.program, comparisons.metric, comparisons.segment, tags.tag, closed.text_key
),

both_levels as (
    select
        {{ key_of(['program', 'metric', "'all'", 'tag']) }} as claim_key,
        text_key,
        program,
        min(cycle) as cycle
    from carriers
    group by program, metric, tag, text_key
    union all
    select
        {{ key_of(['program', 'metric', 'segment', 'tag']) }} as claim_key,
        text_key,
        program,
        cycle
    from carriers
    where segment <> 'all'
)

select
    claims.claim_key,
    greatest(cycles.cycle_number, claims.first_cycle_number) as cycle_number,
    count(*) as creatives
from both_levels
inner join claims on both_levels.claim_key = claims.claim_key
inner join cycles on both_levels.program = cycles.program and both_levels.cycle = cycles.cycle
group by claims.claim_key, greatest(cycles.cycle_number, claims.first_cycle_number)
