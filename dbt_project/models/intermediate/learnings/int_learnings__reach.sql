-- One row per program, metric, segment and cycle: the segment's share of the people in experiments closed by then.

with

arms as (
    select
        comparisons.program,
        comparisons.metric,
        comparisons.segment,
        comparisons.entered_in_cycle,
        closed.n
    from {{ ref('int_experiments__closed_arms') }} as closed
    inner join {{ ref('int_experiments__comparisons') }} as comparisons on closed.comparison_key = comparisons.comparison_key
),

cycles as (
    select * from {{ ref('int_learnings__cycles') }}
),

by_cycle as (
    select
        program,
        metric,
        segment,
        entered_in_cycle as cycle,
        {{ exact_sum('n') }} as n
    from arms
    group by program, metric, segment, entered_in_cycle
),

segments as (
    select distinct program, metric, segment from by_cycle
),

so_far as (
    select
        segments.program,
        segments.metric,
        segments.segment,
        cycles.cycle,
        cast(sum(by_cycle.n) over (
            partition by segments.program, segments.metric, segments.segment order by cycles.cycle_number
        ) as double) as n
    from segments
    inner join cycles on segments.program = cycles.program
    left join by_cycle
        on
            segments.program = by_cycle.program
            and segments.metric = by_cycle.metric
            and segments.segment = by_cycle.segment
            and cycles.cycle = by_cycle.cycle
)

select
    program,
    metric,
    segment,
    cycle,
    n / sum(n) over (partition by program, metric, cycle) as share
from so_far
where n > 0 and segment <> 'all'
