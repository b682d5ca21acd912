-- One row per program, metric, experiment, segment and creative of a closed experiment that may be believed: its log rate and the
-- sampling variance of it. Arms below the smallest number of people are left out, for a reason that does not look at outcomes.

with

statistics as (
    select * from {{ ref('experiment_statistics') }}
),

closings as (
    select * from {{ ref('int_experiments__closings') }}
),

health as (
    select * from {{ ref('experiment_health') }}
),

arms as (
    select * from {{ ref('int_experiments__arms') }}
),

policy as (
    select * from {{ ref('int_policy') }}
),

totals as (
    select
        statistics.program,
        statistics.metric,
        statistics.experiment_id,
        statistics.segment,
        statistics.creative_id,
        closings.entered_in_cycle,
        {{ exact_total('statistics.n') }} as n,
        {{ exact_total('statistics.sum_y') }} as sum_y,
        {{ exact_total('statistics.sum_y2') }} as sum_y2
    from statistics
    inner join closings
        on
            statistics.program = closings.program
            and statistics.experiment_id = closings.experiment_id
            and statistics.metric = closings.metric
            and statistics.cycle <= closings.entered_in_cycle
    group by
        statistics.program, statistics.metric, statistics.experiment_id, statistics.segment, statistics.creative_id,
        closings.entered_in_cycle
),

-- Health as of the cycle of entry: the last look at or before it.
believed as (
    select
        closings.program,
        closings.metric,
        closings.experiment_id,
        max_by(health.status, health.cycle) as status
    from closings
    inner join health
        on
            closings.program = health.program
            and closings.experiment_id = health.experiment_id
            and health.cycle <= closings.entered_in_cycle
    group by closings.program, closings.metric, closings.experiment_id
),

-- A metric is 0/1 when no arm says otherwise: an arm without any outcome looks like one in every metric.
valued as (
    select distinct program, metric, experiment_id, segment
    from totals
    where sum_y2 <> sum_y
),

measured as (
    select
        totals.program,
        totals.metric,
        totals.experiment_id,
        totals.segment,
        totals.creative_id,
        totals.entered_in_cycle,
        totals.n,
        totals.sum_y,
        {{ log_rate('totals.n', 'totals.sum_y', 'valued.program is null') }} as log_rate,
        {{ log_rate_variance('totals.n', 'totals.sum_y', 'totals.sum_y2', 'valued.program is null') }} as sampling_variance,
        arms.text_id,
        arms.is_baseline,
        arms.is_randomised,
        arms.tags_by_design,
        policy.min_conversions_per_arm
    from totals
    left join valued
        on
            totals.program = valued.program
            and totals.metric = valued.metric
            and totals.experiment_id = valued.experiment_id
            and totals.segment = valued.segment
    inner join arms
        on
            totals.program = arms.program
            and totals.experiment_id = arms.experiment_id
            and totals.segment = arms.segment
            and totals.creative_id = arms.creative_id
    inner join policy on totals.program = policy.program
    inner join believed
        on
            totals.program = believed.program
            and totals.experiment_id = believed.experiment_id
            and totals.metric = believed.metric
    where totals.n >= policy.min_units_per_arm and believed.status = 'healthy' and arms.role <> 'holdout'
)

select
    program,
    metric,
    experiment_id,
    segment,
    creative_id,
    entered_in_cycle,
    n,
    sum_y,
    log_rate,
    sampling_variance,
    text_id,
    is_baseline,
    is_randomised,
    tags_by_design,
    {{ key_of(['program', 'metric', 'experiment_id', 'segment']) }} as comparison_key,
    {{ key_of(['program', 'experiment_id', 'creative_id']) }} as creative_key
from measured
-- Below the floor an outcome does not vary but for rounding, and squared weights would leave the range of exact sums.
where sampling_variance > 1e-12 and log_rate is not null
qualify
    count(*) over (partition by program, metric, experiment_id, segment) >= 2
    and sum(sum_y) over (partition by program, metric, experiment_id, segment)
    >= min_conversions_per_arm * count(*) over (partition by program, metric, experiment_id, segment)
