-- One row per program, metric, experiment, segment, creative and cycle: sums over everything counted by the end of that cycle.
-- Where a send went out in several batches, the sums are weighted ones: int_experiments__reweighted says why.

with

statistics as (
    select * from {{ ref('experiment_statistics') }}
),

reweighted as (
    select * from {{ ref('int_experiments__reweighted') }} where level = 'arm'
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
        {{ whole_total('n_exposed') }} as n_exposed,
        {{ whole_total('sum_y_exposed') }} as sum_y_exposed
    from statistics
    group by program, metric, experiment_id, segment, creative_id, cycle
),

arms as (
    select
        program,
        metric,
        experiment_id,
        segment,
        creative_id,
        min(cycle) as first_cycle
    from by_cycle
    group by program, metric, experiment_id, segment, creative_id
),

looks as (
    select distinct program, experiment_id, cycle from by_cycle
),

-- An arm that gained nobody at a look of its experiment still has a total there: whom it is compared with may have gained some, and the
-- experiment may have closed with another metric.
every_look as (
    select
        arms.program,
        arms.metric,
        arms.experiment_id,
        arms.segment,
        arms.creative_id,
        looks.cycle,
        {% for name in ['n', 'sum_y', 'sum_y2', 'sum_x', 'sum_x2', 'sum_xy', 'n_exposed', 'sum_y_exposed'] %}
        by_cycle.{{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from arms
    inner join looks
        on
            arms.program = looks.program
            and arms.experiment_id = looks.experiment_id
            and arms.first_cycle <= looks.cycle
    left join by_cycle
        on
            arms.program = by_cycle.program
            and arms.metric = by_cycle.metric
            and arms.experiment_id = by_cycle.experiment_id
            and arms.segment = by_cycle.segment
            and arms.creative_id = by_cycle.creative_id
            and looks.cycle = by_cycle.cycle
),

running as (
    select
        program,
        metric,
        experiment_id,
        segment,
        creative_id,
        cycle,
        {% for name in ['n', 'sum_y', 'sum_y2', 'sum_x', 'sum_x2', 'sum_xy'] %}
        cast(sum({{ name }}) over so_far as double) as {{ name }},
        {% endfor %}
        -- Whom the message reached is known of everybody so far, or it is not known.
        {% for name in ['n_exposed', 'sum_y_exposed'] %}
        case
            when count({{ name }}) over so_far = count(n) over so_far then cast(sum({{ name }}) over so_far as double)
        end as {{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from every_look
    window so_far as (
        partition by program, metric, experiment_id, segment, creative_id
        order by cycle
        rows between unbounded preceding and current row
    )
)

select
    running.program,
    running.metric,
    running.experiment_id,
    running.segment,
    running.creative_id,
    running.cycle,
    {% for name in ['n', 'sum_y', 'sum_y2', 'sum_x', 'sum_x2', 'sum_xy', 'n_exposed', 'sum_y_exposed'] %}
    coalesce(reweighted.{{ name }}, running.{{ name }}) as {{ name }}{{ ',' if not loop.last }}
    {% endfor %}
from running
left join reweighted
    on
        running.program = reweighted.program
        and running.metric = reweighted.metric
        and running.experiment_id = reweighted.experiment_id
        and running.segment = reweighted.segment
        and running.creative_id = reweighted.subject
        and running.cycle = reweighted.cycle
