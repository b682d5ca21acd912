-- One row per program, metric, experiment, segment, creative and cycle: what may be said of the arm. The rules stand in their order,
-- the first that holds decides, and what no rule names is withheld.
-- A guardrail passes on what was seen, not on what was not: of rare events the error is that of harm as great as the margin (Farrington and
-- Manning 1990), so that a few people without any event do not pass, and many do.

with

contrasts as (
    select * from {{ ref('experiment_contrasts') }}
),

health as (
    select * from {{ ref('experiment_health') }}
),

policy as (
    select * from {{ ref('int_policy') }}
),

-- A metric that the program names no more is what it was when it was named last: what was a guardrail at a look stays one there.
metrics as (
    select
        *,
        value_kind in ('any', 'steps') or (at_least is not null and value_kind <> 'sum') as is_binary
    from (
        select
            *,
            row_number() over (partition by program, metric order by definition_number desc) as from_the_last
        from {{ ref('stg_ledger__metric_definitions') }}
    ) as named
    where from_the_last = 1
),

closings as (
    select * from {{ ref('int_experiments__closings') }}
),

subjects as (
    select
        program,
        metric,
        experiment_id,
        segment,
        creative_id,
        cycle,
        n,
        baseline_n,
        sum_y,
        baseline_sum_y,
        conversions,
        baseline_conversions,
        difference,
        standard_error,
        difference_low,
        difference_high,
        lift,
        lift_low,
        lift_high,
        log_e_value,
        cast(null as string) as obstacle
    from contrasts
    union all
    select
        program,
        metric,
        experiment_id,
        segment,
        creative_id,
        cycle,
        n,
        baseline_n,
        sum_y,
        baseline_sum_y,
        cast(null as double) as conversions,
        cast(null as double) as baseline_conversions,
        cast(null as double) as difference,
        cast(null as double) as standard_error,
        cast(null as double) as difference_low,
        cast(null as double) as difference_high,
        cast(null as double) as lift,
        cast(null as double) as lift_low,
        cast(null as double) as lift_high,
        cast(null as double) as log_e_value,
        obstacle
    from {{ ref('int_experiments__uncompared_arms') }}
),

-- Health as of the look: the last one at or before it.
health_looks as (
    select
        looks.program,
        looks.experiment_id,
        looks.cycle,
        max(health.cycle) as health_cycle
    from (select distinct program, experiment_id, cycle from subjects) as looks
    inner join health
        on looks.program = health.program and looks.experiment_id = health.experiment_id and health.cycle <= looks.cycle
    group by looks.program, looks.experiment_id, looks.cycle
),

facts as (
    select
        subjects.*,
        coalesce(metrics.role, 'objective') as metric_role,
        metrics.harm_direction,
        metrics.harm_margin,
        health.status as health_status,
        health.reason as health_reason,
        closings.entered_in_cycle is not null and closings.entered_in_cycle <= subjects.cycle as is_mature,
        policy.alpha,
        policy.min_units_per_arm,
        policy.min_conversions_per_arm,
        policy.flat_margin,
        least(subjects.n, subjects.baseline_n) as fewest_units,
        policy.tuning_constant,
        metrics.is_binary,
        least(subjects.conversions, subjects.baseline_conversions) as fewest_conversions,
        case when metrics.harm_direction = 'up' then subjects.difference else -subjects.difference end as harm,
        case when metrics.harm_direction = 'up' then subjects.difference_low else -subjects.difference_high end as harm_low,
        case when metrics.harm_direction = 'up' then subjects.difference_high else -subjects.difference_low end as harm_high,
        subjects.baseline_sum_y / nullif(subjects.baseline_n, 0) as baseline_rate,
        greatest(least(
            subjects.baseline_sum_y / nullif(subjects.baseline_n, 0)
            + case when metrics.harm_direction = 'up' then metrics.harm_margin else -metrics.harm_margin end, 1
        ), 0) as harmed_rate
    from subjects
    inner join policy on subjects.program = policy.program
    left join metrics on subjects.program = metrics.program and subjects.metric = metrics.metric
    left join closings
        on
            subjects.program = closings.program
            and subjects.experiment_id = closings.experiment_id
            and subjects.metric = closings.metric
    left join health_looks
        on
            subjects.program = health_looks.program
            and subjects.experiment_id = health_looks.experiment_id
            and subjects.cycle = health_looks.cycle
    left join health
        on
            subjects.program = health.program
            and subjects.experiment_id = health.experiment_id
            and health_looks.health_cycle = health.cycle
),

-- The end of the interval of harm that must lie below the margin.
bounded as (
    select
        *,
        case
            when is_binary
                then
                    greatest(
                        harm_high,
                        harm + {{ half_width(
                            'sqrt(harmed_rate * (1 - harmed_rate) / n + baseline_rate * (1 - baseline_rate) / baseline_n)',
                            '(n + baseline_n)', 'tuning_constant', 'alpha'
                        ) }}
                    )
            else harm_high
        end as harm_at_most
    from facts
),

judged as (
    select
        *,
        case
            when health_status is null or health_status not in ('healthy', 'not_comparable') then 'unhealthy'
            when obstacle is not null then 'withheld'
            when health_status = 'not_comparable' then 'unhealthy'
            when fewest_units < min_units_per_arm then 'not_enough_data'
            when metric_role = 'guardrail' and harm_low > 0 then 'stopped_for_harm'
            when metric_role = 'guardrail' and not is_mature then 'not_mature'
            when metric_role = 'guardrail' and not is_binary and (standard_error is null or standard_error = 0) then 'not_enough_data'
            when metric_role = 'guardrail' and not is_binary and fewest_conversions < min_conversions_per_arm then 'not_enough_data'
            when metric_role = 'guardrail' and harm_at_most < harm_margin then 'pass'
            when metric_role = 'guardrail' then 'withheld'
            when fewest_conversions < min_conversions_per_arm then 'not_enough_data'
            when not is_mature then 'not_mature'
            when standard_error is null or standard_error = 0 then 'not_enough_data'
            when difference_low > 0 then 'win'
            when difference_high < 0 then 'lose'
            when lift_low > -flat_margin and lift_high < flat_margin then 'flat'
            else 'withheld'
        end as verdict
    from bounded
)

select
    program,
    metric,
    experiment_id,
    segment,
    creative_id,
    cycle,
    metric_role,
    verdict,
    case
        when verdict = 'unhealthy' then coalesce(health_reason, 'nothing is known of its health')
        when obstacle is not null then obstacle
        when verdict = 'not_enough_data' and fewest_units < min_units_per_arm
            then cast(ceil(min_units_per_arm - fewest_units) as bigint) || ' more people are needed in the smaller arm'
        when verdict = 'not_enough_data' and fewest_conversions < min_conversions_per_arm
            then cast(ceil(min_conversions_per_arm - fewest_conversions) as bigint) || ' more conversions are needed in the smaller arm'
        when verdict = 'not_enough_data' then 'the outcome does not vary: nothing can be compared'
        when verdict = 'not_mature' then 'not every window has passed yet'
        when verdict = 'stopped_for_harm' then 'the whole interval lies on the side of harm'
        when verdict = 'pass' then 'the whole interval lies below the margin of harm'
        when verdict = 'withheld' and metric_role = 'guardrail' then 'harm beyond the margin is not ruled out yet'
        when verdict = 'win' then 'the whole interval lies above no difference'
        when verdict = 'lose' then 'the whole interval lies below no difference'
        when verdict = 'flat' then 'any difference is smaller than ' || cast(cast(round(100 * flat_margin) as integer) as string) || ' %'
        else 'the interval still holds no difference'
    end as reason,
    n,
    baseline_n,
    is_mature,
    difference,
    difference_low,
    difference_high,
    lift,
    lift_low,
    lift_high,
    log_e_value
from judged
