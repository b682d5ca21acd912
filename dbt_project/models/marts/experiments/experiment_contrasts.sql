-- One row per program, metric, experiment, segment, creative and cycle: the arm against the baseline of its segment, as of that cycle.
-- Asymptotic confidence sequences (Waudby-Smith et al., Annals of Statistics 2024): the intervals may be read at every look.
-- Intention to treat decides; the effect on those who were reached (CACE) stands beside it and decides nothing.

with

means as (
    select * from {{ ref('int_experiments__arm_means') }}
),

arms as (
    select * from {{ ref('int_experiments__arms') }}
),

policy as (
    select * from {{ ref('int_policy') }}
),

programs as (
    select * from {{ ref('stg_ledger__programs') }}
),

launched as (
    select distinct program, experiment_id from {{ ref('stg_ledger__arms') }}
),

described as (
    select
        means.*,
        arms.role,
        arms.is_baseline
    from means
    inner join arms
        on
            means.program = arms.program
            and means.experiment_id = arms.experiment_id
            and means.segment = arms.segment
            and means.creative_id = arms.creative_id
),

paired as (
    select
        described.*,
        baseline.creative_id as baseline_id,
        baseline.n as baseline_n,
        baseline.sum_y as baseline_sum_y,
        baseline.conversions as baseline_conversions,
        baseline.mean_adjusted as baseline_mean,
        described.n + baseline.n as units,
        described.mean_adjusted - baseline.mean_adjusted as difference,
        sqrt(described.variance_adjusted / described.n + baseline.variance_adjusted / baseline.n) as standard_error,
        case
            when described.mean_adjusted > 0 and baseline.mean_adjusted > 0
                then described.mean_adjusted / baseline.mean_adjusted - 1
        end as lift,
        -- Delta method: the relative variance of each mean.
        case
            when described.mean_adjusted > 0 and baseline.mean_adjusted > 0
                then
                    described.mean_adjusted / baseline.mean_adjusted
                    * sqrt(
                        described.variance_adjusted / described.n / power(described.mean_adjusted, 2)
                        + baseline.variance_adjusted / baseline.n / power(baseline.mean_adjusted, 2)
                    )
        end as lift_error,
        described.mean - baseline.mean as raw_difference,
        sqrt(described.variance / described.n + baseline.variance / baseline.n) as raw_error,
        described.n_exposed / described.n - baseline.n_exposed / baseline.n as exposure_difference,
        described.variance_exposed / described.n + baseline.variance_exposed / baseline.n as exposure_variance,
        described.covariance_exposed / described.n + baseline.covariance_exposed / baseline.n as exposure_covariance
    from described
    inner join described as baseline
        on
            described.program = baseline.program
            and described.metric = baseline.metric
            and described.experiment_id = baseline.experiment_id
            and described.segment = baseline.segment
            and described.cycle = baseline.cycle
            and baseline.is_baseline
    where not described.is_baseline
),

effects as (
    select
        paired.*,
        policy.alpha,
        policy.tuning_constant,
        policy.min_exposure_gap,
        programs.channel,
        launched.experiment_id is not null as is_live,
        case when abs(paired.exposure_difference) > policy.min_exposure_gap then paired.raw_difference / paired.exposure_difference end as complier_effect
    from paired
    inner join policy on paired.program = policy.program
    left join programs on paired.program = programs.program
    left join launched on paired.program = launched.program and paired.experiment_id = launched.experiment_id
),

widths as (
    select
        *,
        {{ half_width('lift_error', 'units', 'tuning_constant', 'alpha') }} / (1 + lift) as lift_width
    from effects
)

select
    program,
    metric,
    experiment_id,
    segment,
    creative_id,
    cycle,
    role,
    baseline_id,
    n,
    baseline_n,
    sum_y,
    baseline_sum_y,
    conversions,
    baseline_conversions,
    mean_adjusted as mean,
    baseline_mean,
    theta is not null as is_adjusted,
    difference,
    standard_error,
    difference - {{ half_width('standard_error', 'units', 'tuning_constant', 'alpha') }} as difference_low,
    difference + {{ half_width('standard_error', 'units', 'tuning_constant', 'alpha') }} as difference_high,
    lift,
    -- On the log scale, where a ratio is symmetric: the interval never reaches -100 %. Beyond what a number can hold there is none.
    case when lift_width <= 6e2 then (1 + lift) * exp(-lift_width) - 1 end as lift_low,
    case when lift_width <= 6e2 then (1 + lift) * exp(lift_width) - 1 end as lift_high,
    case
        when standard_error > 0
            then least({{ log_e_mean('(difference / standard_error)', 'units', 'tuning_constant') }}, 7e2)
    end as log_e_value,
    complier_effect,
    case
        when complier_effect is not null
            then
                sqrt(greatest(
                    power(raw_error, 2) - 2 * complier_effect * exposure_covariance + power(complier_effect, 2) * exposure_variance, 0
                )) / abs(exposure_difference)
    end as complier_effect_error,
    case
        when exposure_difference is null
            then {{ exposure_withheld_reason('exposure_difference', 'is_live', 'channel') }}
        when complier_effect is null
            then concat('the shares reached differ by no more than ', cast(min_exposure_gap as string))
    end as complier_effect_withheld_reason
from widths
