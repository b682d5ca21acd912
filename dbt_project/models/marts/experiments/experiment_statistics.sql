-- One row per program, experiment, segment, creative, metric, cycle, day and batch: the sums that everything after this reads.
-- Its size grows with arms, segments, days and batches, not with traffic.

with

outcomes as (
    select * from {{ ref('int_experiments__unit_outcomes') }}
),

past as (
    select * from {{ ref('stg_imports__results') }}
),

programs as (
    select * from {{ ref('stg_ledger__programs') }}
),

live as (
    select
        program,
        experiment_id,
        segment,
        creative_id,
        metric,
        counted_in_cycle as cycle,
        assigned_on as day,
        coalesce(batch, 1) as batch,
        cast(count(*) as double) as n,
        {{ exact_total('outcome') }} as sum_y,
        {{ exact_total('outcome * outcome') }} as sum_y2,
        {{ exact_total('covariate') }} as sum_x,
        {{ exact_total('covariate * covariate') }} as sum_x2,
        {{ exact_total('covariate * outcome') }} as sum_xy,
        {{ whole_total('cast(is_exposed as integer)') }} as n_exposed,
        {{ whole_total('case when is_exposed then outcome when not is_exposed then 0 end') }} as sum_y_exposed
    from outcomes
    group by program, experiment_id, segment, creative_id, metric, counted_in_cycle, assigned_on, coalesce(batch, 1)
)

select
    live.*,
    {{ exposure_withheld_reason('live.n_exposed', 'true', 'programs.channel') }} as exposure_withheld_reason
from live
left join programs on live.program = programs.program
union all
select
    program,
    experiment_id,
    segment,
    creative_id,
    metric,
    cycle,
    cast(null as date) as day,
    1 as batch,
    n,
    sum_y,
    sum_y2,
    cast(null as double) as sum_x,
    cast(null as double) as sum_x2,
    cast(null as double) as sum_xy,
    cast(null as double) as n_exposed,
    cast(null as double) as sum_y_exposed,
    {{ exposure_withheld_reason('cast(null as double)', 'false', 'cast(null as string)') }} as exposure_withheld_reason
from past
