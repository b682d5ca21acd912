-- One row per program, experiment, metric, arm and segment (each, and `all`): the metric of that arm's people, as counted so far.
-- Every metric a program names and every metric of an imported experiment is here; growth metrics are named like any other.

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

assigned as (
    select
        experiment_id,
        segment,
        creative_id,
        count(*) as people
    from {{ ref('stg_ledger__assignments') }}
    group by experiment_id, segment, creative_id
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

-- Live arms hold everyone assigned; imported ones only those they were told of.
peopled as (
    select
        totals.*,
        arms.role,
        cast(coalesce(assigned.people, totals.n) as bigint) as people
    from totals
    inner join arms
        on
            totals.program = arms.program
            and totals.experiment_id = arms.experiment_id
            and totals.segment = arms.segment
            and totals.creative_id = arms.creative_id
    left join assigned
        on
            totals.experiment_id = assigned.experiment_id
            and totals.segment = assigned.segment
            and totals.creative_id = assigned.creative_id
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
        {{ exact_total('sum_y2') }} as sum_y2
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
        sum_y2
    from peopled
    where segment = 'all'
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
        summed.*,
        kinds.is_share,
        health.status as health,
        terms.interval_z,
        policy.min_units_per_arm,
        summed.n = summed.people as is_mature,
        terms.interval_z * {{ mean_error('summed.n', 'summed.sum_y', 'summed.sum_y2') }} as half_width
    from summed
    inner join kinds
        on
            summed.program = kinds.program
            and summed.experiment_id = kinds.experiment_id
            and summed.metric = kinds.metric
    inner join policy on summed.program = policy.program
    cross join terms
    left join health on summed.program = health.program and summed.experiment_id = health.experiment_id
),

reasoned as (
    select
        *,
        n >= min_units_per_arm as meets_min_sample,
        coalesce(
            {{ withheld_reason('is_mature', 'cast(n as bigint)', 'min_units_per_arm') }},
            case when health = 'unhealthy' then 'the experiment is unhealthy: see experiment_health' end
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
    case when withheld_reason is null then sum_y / n end as mean,
    case
        when withheld_reason is null and is_share then {{ wilson_low('sum_y', 'n', 'interval_z') }}
        when withheld_reason is null then sum_y / n - half_width
    end as ci_low,
    case
        when withheld_reason is null and is_share then {{ wilson_high('sum_y', 'n', 'interval_z') }}
        when withheld_reason is null then sum_y / n + half_width
    end as ci_high,
    is_mature,
    meets_min_sample,
    withheld_reason
from reasoned
