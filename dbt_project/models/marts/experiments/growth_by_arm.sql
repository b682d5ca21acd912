-- One row per program, experiment, metric, arm and segment (each, and `all`): the metric of that arm's people, as counted so far.
-- Every metric a program names and every metric of an imported experiment is here; growth metrics are named like any other.
-- Where a send went out in several batches, an arm's plain mean is one of the days on which it was favoured (Simpson's paradox): there the
-- mean and its interval are the weighted ones, by which experiment_contrasts compares (int_experiments__reweighted says why).

with

statistics as (
    select * from {{ ref('experiment_statistics') }}
),

terms as (
    select * from {{ ref('int_growth_terms') }}
),

policy as (
    select * from {{ ref('int_policy') }}
),

arms as (
    select
        program,
        experiment_id,
        segment,
        creative_id,
        role
    from {{ ref('int_experiments__arms') }}
),

health as (
    select
        program,
        experiment_id,
        max_by(status, cycle) as status
    from {{ ref('experiment_health') }}
    group by program, experiment_id
),

launched as (
    select distinct program, experiment_id from {{ ref('stg_ledger__arms') }}
),

assigned as (
    select
        launched.program,
        assignments.experiment_id,
        assignments.segment,
        assignments.creative_id,
        count(*) as people
    from {{ ref('stg_ledger__assignments') }} as assignments
    inner join launched on assignments.experiment_id = launched.experiment_id
    group by launched.program, assignments.experiment_id, assignments.segment, assignments.creative_id
),

reweighted as (
    select
        *,
        row_number() over (partition by program, experiment_id, metric, segment, subject order by cycle desc) as from_the_last
    from {{ ref('int_experiments__reweighted') }}
    where level = 'arm'
),

totals as (
    select
        program,
        experiment_id,
        metric,
        segment,
        creative_id,
        {{ exact_total('n') }} as n,
        {{ exact_total('sum_y') }} as sum_y,
        {{ exact_total('sum_y2') }} as sum_y2
    from statistics
    group by program, experiment_id, metric, segment, creative_id
),

-- What a segment weighs in an arm's mean over segments is everybody in it who was sent something, whatever the arm's chance there was.
segments as (
    select
        program,
        experiment_id,
        metric,
        segment,
        {{ exact_total('n') }} as weight
    from totals
    where creative_id <> 'holdout'
    group by program, experiment_id, metric, segment
),

-- Live arms hold everyone assigned; imported ones only those they were told of.
peopled as (
    select
        totals.*,
        arms.role,
        cast(coalesce(assigned.people, totals.n) as bigint) as people,
        reweighted.is_in_every_batch,
        case when reweighted.n > 0 then segments.weight end as weight,
        segments.weight * reweighted.sum_y / nullif(reweighted.n, 0) as weight_y,
        segments.weight * reweighted.sum_y2 / nullif(reweighted.n, 0) as weight_y2,
        segments.weight * segments.weight / nullif(reweighted.n, 0) as weight_spread
    from totals
    inner join arms
        on
            totals.program = arms.program
            and totals.experiment_id = arms.experiment_id
            and totals.segment = arms.segment
            and totals.creative_id = arms.creative_id
    left join assigned
        on
            totals.program = assigned.program
            and totals.experiment_id = assigned.experiment_id
            and totals.segment = assigned.segment
            and totals.creative_id = assigned.creative_id
    left join segments
        on
            totals.program = segments.program
            and totals.experiment_id = segments.experiment_id
            and totals.metric = segments.metric
            and totals.segment = segments.segment
    left join reweighted
        on
            totals.program = reweighted.program
            and totals.experiment_id = reweighted.experiment_id
            and totals.metric = reweighted.metric
            and totals.segment = reweighted.segment
            and totals.creative_id = reweighted.subject
            and reweighted.from_the_last = 1
),

summed as (
    select
        program,
        experiment_id,
        metric,
        creative_id,
        case when grouping(segment) = 1 then 'all' else segment end as segment,
        max(role) as role,
        cast(sum(people) as bigint) as people,
        {{ exact_total('n') }} as n,
        {{ exact_total('sum_y') }} as sum_y,
        {{ exact_total('sum_y2') }} as sum_y2,
        min(cast(is_in_every_batch as integer)) = 1 as is_in_every_batch,
        {{ whole_total('weight') }} as weight,
        {{ exact_total('weight_y') }} as weight_y,
        {{ exact_total('weight_y2') }} as weight_y2,
        {{ exact_total('weight_spread') }} as weight_spread
    from peopled
    where segment <> 'all'
    group by grouping sets (
        (program, experiment_id, metric, creative_id), (program, experiment_id, metric, creative_id, segment)
    )
    union all
    -- An import without segments calls everyone `all` itself.
    select
        program,
        experiment_id,
        metric,
        creative_id,
        segment,
        role,
        people,
        n,
        sum_y,
        sum_y2,
        is_in_every_batch,
        weight,
        weight_y,
        weight_y2,
        weight_spread
    from peopled
    where segment = 'all'
),

-- The sums that the mean and its interval are taken from: the people themselves, or as many as would vary as the weighted mean does.
effective as (
    select
        *,
        case when weight is null then n else weight * weight / weight_spread end as effective_n,
        case when weight is null then sum_y else weight * weight_y / weight_spread end as effective_sum_y,
        case when weight is null then sum_y2 else weight * weight_y2 / weight_spread end as effective_sum_y2
    from summed
),

-- A metric is 0/1 where its squares sum to itself in every arm of the experiment.
kinds as (
    select
        program,
        experiment_id,
        metric,
        min(case when sum_y2 = sum_y then 1 else 0 end) = 1 as is_share
    from totals
    group by program, experiment_id, metric
),

judged as (
    select
        effective.*,
        kinds.is_share,
        -- Rounding must not make a share of everybody more than everybody.
        case when kinds.is_share then least(effective.effective_sum_y, effective.effective_n) else effective.effective_sum_y end as told_sum_y,
        health.status as health,
        terms.interval_z,
        policy.min_units_per_arm,
        effective.n = effective.people as is_mature,
        terms.interval_z * {{ mean_error('effective.effective_n', 'effective.effective_sum_y', 'effective.effective_sum_y2') }} as half_width
    from effective
    inner join kinds
        on
            effective.program = kinds.program
            and effective.experiment_id = kinds.experiment_id
            and effective.metric = kinds.metric
    inner join policy on effective.program = policy.program
    cross join terms
    left join health on effective.program = health.program and effective.experiment_id = health.experiment_id
),

reasoned as (
    select
        *,
        n >= min_units_per_arm as meets_min_sample,
        coalesce(
            {{ withheld_reason('is_mature', 'cast(n as bigint)', 'min_units_per_arm') }},
            case when health = 'unhealthy' then 'the experiment is unhealthy: see experiment_health' end,
            case when not is_in_every_batch then 'the arm was not in every batch of the send: its mean is one of other days' end
        ) as withheld_reason
    from judged
)

select
    program,
    experiment_id,
    metric,
    creative_id,
    segment,
    role,
    health,
    is_share,
    people,
    cast(n as bigint) as n,
    sum_y,
    case when withheld_reason is null then told_sum_y / effective_n end as mean,
    case
        when withheld_reason is null and is_share then {{ wilson_low('told_sum_y', 'effective_n', 'interval_z') }}
        when withheld_reason is null then told_sum_y / effective_n - half_width
    end as ci_low,
    case
        when withheld_reason is null and is_share then {{ wilson_high('told_sum_y', 'effective_n', 'interval_z') }}
        when withheld_reason is null then told_sum_y / effective_n + half_width
    end as ci_high,
    is_mature,
    meets_min_sample,
    withheld_reason
from reasoned
