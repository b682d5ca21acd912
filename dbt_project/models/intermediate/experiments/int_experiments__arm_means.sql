-- One row per program, metric, experiment, segment, creative and cycle: the arm's mean, adjusted for the covariate where that helps.
-- CUPED (Deng, Xu, Kohavi and Walker 2013): one theta per experiment, segment and metric, from all arms together.

with

totals as (
    select * from {{ ref('int_experiments__arm_totals') }}
),

experiment_totals as (
    select
        program,
        metric,
        experiment_id,
        segment,
        cycle,
        {{ exact_total('n') }} as n,
        {{ exact_total('sum_x') }} / {{ exact_total('n') }} as mean_x,
        {{ exact_total('sum_xy - sum_x * sum_y / n') }} as within_xy,
        {{ exact_total('sum_x2 - sum_x * sum_x / n') }} as within_xx
    from totals
    where n > 0
    group by program, metric, experiment_id, segment, cycle
),

adjusted as (
    select
        totals.*,
        experiment_totals.mean_x,
        case when experiment_totals.within_xx > 0 then experiment_totals.within_xy / experiment_totals.within_xx end as theta
    from totals
    inner join experiment_totals
        on
            totals.program = experiment_totals.program
            and totals.metric = experiment_totals.metric
            and totals.experiment_id = experiment_totals.experiment_id
            and totals.segment = experiment_totals.segment
            and totals.cycle = experiment_totals.cycle
    where totals.n > 0
)

select
    program,
    metric,
    experiment_id,
    segment,
    creative_id,
    cycle,
    n,
    sum_y,
    n_exposed,
    sum_y_exposed,
    case when sum_y2 > 0 then power(sum_y, 2) / sum_y2 else 0 end as conversions,
    sum_y / n as mean,
    theta,
    case when theta is null then sum_y / n else sum_y / n - theta * (sum_x / n - mean_x) end as mean_adjusted,
    case when n > 1 then greatest(sum_y2 - sum_y * sum_y / n, 0) / (n - 1) end as variance,
    case
        when n > 1 and theta is null then greatest(sum_y2 - sum_y * sum_y / n, 0) / (n - 1)
        when n > 1
            then
                greatest(
                    (sum_y2 - sum_y * sum_y / n)
                    - 2 * theta * (sum_xy - sum_x * sum_y / n)
                    + theta * theta * (sum_x2 - sum_x * sum_x / n),
                    0
                ) / (n - 1)
    end as variance_adjusted,
    case
        when n > 1 and n_exposed is not null then n_exposed / n * (1 - n_exposed / n) * n / (n - 1)
    end as variance_exposed,
    case
        when n > 1 and n_exposed is not null then (sum_y_exposed - n_exposed * sum_y / n) / (n - 1)
    end as covariance_exposed
from adjusted
