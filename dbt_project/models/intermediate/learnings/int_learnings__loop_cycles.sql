-- One row per program, comparison (the baseline text, or creatives written without the learnings) and cycle: what creatives written
-- with the learnings earned beside it, in the experiments that entered the evidence in that cycle.

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

cycles as (
    select * from {{ ref('int_learnings__cycles') }}
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
    having sum(means.n) > 0
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
        learned.variance / learned.n as learned_variance,
        other.variance / other.n as other_variance,
        learned.mean as learned_mean,
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
        {{ exact_sum('units * units * learned_variance') }} as weighted_learned_variance,
        {{ exact_sum('units * units * other_variance') }} as weighted_other_variance,
        {{ exact_sum('units * learned_mean') }} as weighted_learned,
        {{ exact_sum('units * other_mean') }} as weighted_other
    from compared
    group by program, against, cycle
),

told as (
    select
        by_cycle.program,
        by_cycle.against,
        by_cycle.cycle,
        cast(cycles.cycle_number as double) as place,
        cast(by_cycle.units as double) as units,
        cast(by_cycle.weighted as double) as weighted,
        cast(by_cycle.weighted_learned as double) as weighted_learned,
        cast(by_cycle.weighted_other as double) as weighted_other,
        cast(by_cycle.weighted_learned_variance as double) as weighted_learned_variance,
        cast(by_cycle.weighted_other_variance as double) as weighted_other_variance
    from by_cycle
    inner join cycles on by_cycle.program = cycles.program and by_cycle.cycle = cycles.cycle
),

-- A cycle in which one side earned nothing has no log ratio: it counts in the difference and not in the trend.
ratios as (
    select
        *,
        case
            when weighted_learned > 0 and weighted_other > 0 and weighted_learned_variance + weighted_other_variance > 0
                then
                    weighted_learned_variance / power(weighted_learned, 2) + weighted_other_variance / power(weighted_other, 2)
        end as log_ratio_variance
    from told
)

select
    program,
    against,
    cycle,
    place,
    units,
    weighted,
    weighted_other,
    weighted_learned_variance + weighted_other_variance as weighted_variance,
    case when log_ratio_variance is not null then ln(weighted_learned / weighted_other) end as log_ratio,
    1 / log_ratio_variance as log_ratio_weight
from ratios
