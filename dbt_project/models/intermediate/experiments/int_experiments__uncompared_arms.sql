-- One row per program, metric, experiment, segment, creative and cycle for which experiment_contrasts has no row, and why there is none:
-- so that an arm without a comparison has a verdict too, and not silence.

with

arms as (
    select * from {{ ref('int_experiments__arms') }}
),

totals as (
    select * from {{ ref('int_experiments__arm_totals') }}
),

contrasts as (
    select * from {{ ref('experiment_contrasts') }}
),

-- A late arm is not missed before anybody is counted in it.
known as (
    select
        program,
        experiment_id,
        segment,
        creative_id,
        is_baseline,
        is_late,
        count(*) over (partition by program, experiment_id, segment) as arms,
        max(case when is_baseline then creative_id end) over (partition by program, experiment_id, segment) as baseline_id
    from arms
),

looks as (
    select distinct program, metric, experiment_id, cycle from totals
),

expected as (
    select
        known.program,
        looks.metric,
        known.experiment_id,
        known.segment,
        known.creative_id,
        looks.cycle,
        known.arms,
        known.baseline_id,
        known.is_late
    from known
    inner join looks on known.program = looks.program and known.experiment_id = looks.experiment_id
    where not known.is_baseline or known.arms = 1
),

counted as (
    select
        expected.*,
        coalesce(totals.n, 0) as n,
        coalesce(totals.sum_y, 0) as sum_y,
        totals.creative_id is not null as is_counted,
        coalesce(baseline.n, 0) as baseline_n,
        coalesce(baseline.sum_y, 0) as baseline_sum_y
    from expected
    left join totals
        on
            expected.program = totals.program
            and expected.metric = totals.metric
            and expected.experiment_id = totals.experiment_id
            and expected.segment = totals.segment
            and expected.creative_id = totals.creative_id
            and expected.cycle = totals.cycle
    left join totals as baseline
        on
            expected.program = baseline.program
            and expected.metric = baseline.metric
            and expected.experiment_id = baseline.experiment_id
            and expected.segment = baseline.segment
            and expected.baseline_id = baseline.creative_id
            and expected.cycle = baseline.cycle
)

select
    counted.program,
    counted.metric,
    counted.experiment_id,
    counted.segment,
    counted.creative_id,
    counted.cycle,
    counted.n,
    counted.sum_y,
    case when counted.baseline_id is not null then counted.baseline_n end as baseline_n,
    case when counted.baseline_id is not null then counted.baseline_sum_y end as baseline_sum_y,
    case
        when counted.arms = 1 then 'one arm only: there is nothing to compare it with'
        when counted.baseline_id is null then 'no baseline: the experiment does not say which arm the others are compared with'
        when counted.n = 0 and counted.baseline_n = 0 then 'nobody is counted in the arm and in its baseline yet'
        when counted.baseline_n = 0 then 'nobody is counted in the baseline yet'
        else 'nobody is counted in the arm yet'
    end as obstacle
from counted
left join contrasts
    on
        counted.program = contrasts.program
        and counted.metric = contrasts.metric
        and counted.experiment_id = contrasts.experiment_id
        and counted.segment = contrasts.segment
        and counted.creative_id = contrasts.creative_id
        and counted.cycle = contrasts.cycle
where contrasts.creative_id is null and (counted.is_counted or not counted.is_late)
