-- One row per program, metric, experiment, segment, creative and cycle: sums over everything counted by the end of that cycle.

with

statistics as (
    select * from {{ ref('experiment_statistics') }}
),

by_cycle as (
    select
        program,
        metric,
        experiment_id,
        segment,
        creative_id,
        cycle,
        {{ exact_sum('n') }} as n,
        {{ exact_sum('sum_y') }} as sum_y,
        {{ exact_sum('sum_y2') }} as sum_y2,
        {{ exact_sum('sum_x') }} as sum_x,
        {{ exact_sum('sum_x2') }} as sum_x2,
        {{ exact_sum('sum_xy') }} as sum_xy,
        {{ exact_sum('n_exposed') }} as n_exposed,
        {{ exact_sum('sum_y_exposed') }} as sum_y_exposed
    from statistics
    group by program, metric, experiment_id, segment, creative_id, cycle
)

select
    program,
    metric,
    experiment_id,
    segment,
    creative_id,
    cycle,
    {% for name in ['n', 'sum_y', 'sum_y2', 'sum_x', 'sum_x2', 'sum_xy', 'n_exposed', 'sum_y_exposed'] %}
    cast(sum({{ name }}) over so_far as double) as {{ name }}{{ ',' if not loop.last }}
    {% endfor %}
from by_cycle
window so_far as (
    partition by program, metric, experiment_id, segment, creative_id
    order by cycle
    rows between unbounded preceding and current row
)
