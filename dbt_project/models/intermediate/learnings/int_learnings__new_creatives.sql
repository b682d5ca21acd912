-- One row per program, metric, segment, tag and cycle: distinct texts that carried the tag for the first time in a closed experiment.

with

arms as (
    select
        program,
        metric,
        segment,
        entered_in_cycle,
        creative_key,
        {{ key_of(['text_id']) }} as text_key
    from {{ ref('int_experiments__closed_arms') }}
),

tags as (
    select
        {{ key_of(['program', 'experiment_id', 'creative_id']) }} as creative_key,
        tag
    from {{ ref('int_experiments__arm_tags') }}
),

by_segment as (
    select
        arms.program,
        arms.metric,
        arms.segment,
        tags.tag,
        arms.text_key,
        min(arms.entered_in_cycle) as cycle
    from arms
    inner join tags on arms.creative_key = tags.creative_key
    group by arms.program, arms.metric, arms.segment, tags.tag, arms.text_key
),

pooled as (
    select
        program,
        metric,
        'all' as segment,
        tag,
        text_key,
        min(cycle) as cycle
    from by_segment
    group by program, metric, tag, text_key
),

both_levels as (
    select * from pooled
    union all
    select * from by_segment where segment <> 'all'
)

select
    program,
    metric,
    segment,
    tag,
    cycle,
    count(*) as creatives
from both_levels
group by program, metric, segment, tag, cycle
