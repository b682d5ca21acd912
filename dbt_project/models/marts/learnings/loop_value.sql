-- One row per program, comparison (the baseline text, or creatives written without the learnings) and cycle: what creatives written
-- with the learnings earned over it, so far.
-- Both kinds are randomised against each other in every experiment; the difference is the causal value of the learnings file.

with

means as (
    select * from {{ ref('int_experiments__arm_totals') }}
),

arms as (
    select * from {{ ref('int_experiments__arms') }}
),

reweighted as (
    select * from {{ ref('int_experiments__reweighted') }} where level = 'role'
),

metrics as (
    select * from {{ ref('stg_ledger__metrics') }} where role = 'objective'
),

-- Closed and believed experiments alone, each in the cycle it entered the evidence.
comparisons as (
    select * from {{ ref('int_experiments__comparisons') }}
),

policy as (
    select * from {{ ref('int_policy') }}
),

role_totals as (
    select
        means.program,
        means.experiment_id,
        means.metric,
        means.segment,
        comparisons.entered_in_cycle as cycle,
        arms.role,
        {{ exact_total('means.n') }} as n,
        {{ exact_total('means.sum_y') }} as sum_y,
        {{ exact_total('means.sum_y2') }} as sum_y2
    from means
    inner join metrics on means.program = metrics.program and means.metric = metrics.metric
    inner join comparisons
        on
            means.program = comparisons.program
            and means.experiment_id = comparisons.experiment_id
            and means.metric = comparisons.metric
            and means.segment = comparisons.segment
            and means.cycle = comparisons.entered_in_cycle
    inner join arms
        on
            means.program = arms.program
            and means.experiment_id = arms.experiment_id
            and means.segment = arms.segment
            and means.creative_id = arms.creative_id
    where arms.role in ('exploit', 'control', 'baseline')
    group by
        means.program, means.experiment_id, means.metric, means.segment, comparisons.entered_in_cycle, arms.role
),

-- A send in several batches is worth what its roles were in each batch, however many people each arm got there.
role_sums as (
    select
        role_totals.program,
        role_totals.experiment_id,
        role_totals.segment,
        role_totals.cycle,
        role_totals.role,
        coalesce(reweighted.n, role_totals.n) as n,
        coalesce(reweighted.sum_y, role_totals.sum_y) as sum_y,
        coalesce(reweighted.sum_y2, role_totals.sum_y2) as sum_y2
    from role_totals
    left join reweighted
        on
            role_totals.program = reweighted.program
            and role_totals.experiment_id = reweighted.experiment_id
            and role_totals.metric = reweighted.metric
            and role_totals.segment = reweighted.segment
            and role_totals.role = reweighted.subject
            and role_totals.cycle = reweighted.cycle
),

by_role as (
    select
        program,
        experiment_id,
        segment,
        cycle,
        role,
        n,
        sum_y / n as mean,
        greatest(sum_y2 - power(sum_y, 2) / n, 0) / greatest(n - 1, 1) as variance
    from role_sums
),

compared as (
    select
        learned.program,
        learned.experiment_id,
        learned.segment,
        learned.cycle,
        other.role as against,
        learned.n + other.n as units,
        learned.mean - other.mean as difference,
        learned.variance / learned.n + other.variance / other.n as difference_variance,
        other.mean as other_mean
    from by_role as learned
    inner join by_role as other
        on
            learned.program = other.program
            and learned.experiment_id = other.experiment_id
            and learned.segment = other.segment
            and other.role in ('control', 'baseline')
    where learned.role = 'exploit'
),

by_cycle as (
    select
        program,
        against,
        cycle,
        {{ exact_sum('units') }} as units,
        {{ exact_sum('units * difference') }} as weighted,
        {{ exact_sum('units * units * difference_variance') }} as weighted_variance,
        {{ exact_sum('units * other_mean') }} as weighted_other
    from compared
    group by program, against, cycle
),

so_far as (
    select
        program,
        against,
        cycle,
        cast(sum(units) over running as double) as units,
        cast(sum(weighted) over running as double) / cast(sum(units) over running as double) as difference,
        sqrt(cast(sum(weighted_variance) over running as double)) / cast(sum(units) over running as double) as standard_error,
        cast(sum(weighted_other) over running as double) / cast(sum(units) over running as double) as other_mean,
        cast(weighted as double) / cast(units as double) as difference_this_cycle
    from by_cycle
    window running as (partition by program, against order by cycle rows between unbounded preceding and current row)
)

select
    so_far.program,
    so_far.against,
    so_far.cycle,
    so_far.units,
    so_far.other_mean,
    so_far.difference,
    so_far.difference - {{ half_width('so_far.standard_error', 'so_far.units', 'policy.tuning_constant', 'policy.alpha') }} as difference_low,
    so_far.difference + {{ half_width('so_far.standard_error', 'so_far.units', 'policy.tuning_constant', 'policy.alpha') }} as difference_high,
    so_far.difference_this_cycle,
    so_far.difference / nullif(so_far.other_mean, 0) as lift
from so_far
inner join policy on so_far.program = policy.program
