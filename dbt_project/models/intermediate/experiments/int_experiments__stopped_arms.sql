-- One row per experiment, segment and creative of a live send in batches that has harmed a guardrail so far: later batches do not get it.
-- The difference to the baseline inside each batch, combined with weights that know only how many people there were (Mantel and Haenszel
-- 1959), so that neither adaptive chances nor a bad day can pass for harm. A confidence sequence: it may be read before every batch.

with

progress as (
    select * from {{ ref('int_experiments__batch_progress') }}
),

arms as (
    select * from {{ ref('int_experiments__arms') }}
),

guardrails as (
    select * from {{ ref('stg_ledger__metrics') }} where role = 'guardrail'
),

policy as (
    select * from {{ ref('int_policy') }}
),

described as (
    select
        progress.*,
        arms.is_baseline,
        guardrails.harm_direction,
        greatest(progress.sum_y2 - progress.sum_y * progress.sum_y / progress.n, 0) / greatest(progress.n - 1, 1) as variance
    from progress
    inner join guardrails on progress.program = guardrails.program and progress.metric = guardrails.metric
    inner join arms
        on
            progress.program = arms.program
            and progress.experiment_id = arms.experiment_id
            and progress.segment = arms.segment
            and progress.creative_id = arms.creative_id
),

differences as (
    select
        described.program,
        described.experiment_id,
        described.segment,
        described.creative_id,
        described.metric,
        described.n,
        baseline.n as baseline_n,
        described.n * baseline.n / (described.n + baseline.n) as weight,
        (described.sum_y / described.n - baseline.sum_y / baseline.n)
        * case when described.harm_direction = 'up' then 1 else -1 end as harm,
        described.variance / described.n + baseline.variance / baseline.n as harm_variance
    from described
    inner join described as baseline
        on
            described.experiment_id = baseline.experiment_id
            and described.segment = baseline.segment
            and described.batch = baseline.batch
            and described.metric = baseline.metric
            and baseline.is_baseline
    where not described.is_baseline
),

combined as (
    select
        program,
        experiment_id,
        segment,
        creative_id,
        metric,
        sum(n) as n,
        sum(baseline_n) as baseline_n,
        {{ exact_total('weight * harm') }} / {{ exact_total('weight') }} as harm,
        sqrt({{ exact_total('weight * weight * harm_variance') }}) / {{ exact_total('weight') }} as standard_error
    from differences
    group by program, experiment_id, segment, creative_id, metric
),

judged as (
    select
        combined.*,
        combined.harm - {{ half_width('combined.standard_error', '(combined.n + combined.baseline_n)', 'policy.tuning_constant', 'policy.alpha') }} as harm_low
    from combined
    inner join policy on combined.program = policy.program
    where least(combined.n, combined.baseline_n) >= policy.min_units_per_arm and combined.standard_error > 0
)

select
    program,
    experiment_id,
    segment,
    creative_id,
    min(metric) as metric
from judged
where harm_low > 0
group by program, experiment_id, segment, creative_id
