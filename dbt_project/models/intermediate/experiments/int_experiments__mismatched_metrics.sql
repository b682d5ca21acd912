-- One row per program, experiment and metric of a past experiment whose people did not reach the arms in the planned shares, and the first
-- look that shows it; the metric that was counted first is left to experiment_health itself.
-- A file may tell each metric of other people, so each is tested by the same sequential test, among the arms that it tells of. Shares that
-- are not all told are no ground for a test.

with

statistics as (
    select * from {{ ref('experiment_statistics') }}
),

allocations as (
    select * from {{ ref('int_experiments__allocations') }}
),

policy as (
    select * from {{ ref('int_policy') }}
),

metric_looks as (
    select
        program,
        experiment_id,
        metric,
        cycle,
        sum(n) as n,
        row_number() over (partition by program, experiment_id, metric order by cycle) as look
    from statistics
    where day is null
    group by program, experiment_id, metric, cycle
),

-- Ranked by the first look of each alone: a metric that comes later moves no earlier row.
metric_units as (
    select
        program,
        experiment_id,
        metric,
        row_number() over (partition by program, experiment_id order by cycle, n desc, metric) as metric_rank
    from metric_looks
    where look = 1
),

increments as (
    select
        statistics.program,
        statistics.experiment_id,
        statistics.segment,
        statistics.metric,
        metric_units.metric_rank,
        statistics.creative_id,
        allocations.probability,
        statistics.cycle,
        sum(statistics.n) as n
    from statistics
    inner join metric_units
        on
            statistics.program = metric_units.program
            and statistics.experiment_id = metric_units.experiment_id
            and statistics.metric = metric_units.metric
            and metric_units.metric_rank > 1
    inner join allocations
        on
            statistics.program = allocations.program
            and statistics.experiment_id = allocations.experiment_id
            and statistics.segment = allocations.segment
            and statistics.creative_id = allocations.creative_id
            and allocations.are_shares_known
    group by
        statistics.program, statistics.experiment_id, statistics.segment, statistics.metric, metric_units.metric_rank,
        statistics.creative_id, allocations.probability, statistics.cycle
),

arms as (
    select
        program,
        experiment_id,
        segment,
        metric,
        creative_id,
        max(probability) as probability,
        min(cycle) as first_cycle
    from increments
    group by program, experiment_id, segment, metric, creative_id
),

looks as (
    select distinct program, experiment_id, segment, metric, metric_rank, cycle from increments
),

counts as (
    select
        looks.program,
        looks.experiment_id,
        looks.segment,
        looks.metric,
        looks.metric_rank,
        looks.cycle,
        arms.probability / sum(arms.probability) over (
            partition by looks.program, looks.experiment_id, looks.segment, looks.metric, looks.cycle
        ) as probability,
        sum(coalesce(increments.n, 0)) over (
            partition by
                looks.program, looks.experiment_id, looks.segment, looks.metric, arms.creative_id
            order by looks.cycle
        ) as n
    from looks
    inner join arms
        on
            looks.program = arms.program
            and looks.experiment_id = arms.experiment_id
            and looks.segment = arms.segment
            and looks.metric = arms.metric
            and looks.cycle >= arms.first_cycle
    left join increments
        on
            looks.program = increments.program
            and looks.experiment_id = increments.experiment_id
            and looks.segment = increments.segment
            and looks.metric = increments.metric
            and looks.cycle = increments.cycle
            and arms.creative_id = increments.creative_id
),

evidence as (
    select
        counts.program,
        counts.experiment_id,
        counts.segment,
        counts.metric,
        counts.metric_rank,
        counts.cycle,
        max(policy.srm_threshold) as srm_threshold,
        {{ exact_total(log_e_srm_arm('counts.n', 'counts.probability', 'policy.srm_strength')) }}
        + {{ log_e_srm_total('sum(counts.n)', 'max(policy.srm_strength)') }} as log_e_value
    from counts
    inner join policy on counts.program = policy.program
    group by
        counts.program, counts.experiment_id, counts.segment, counts.metric, counts.metric_rank,
        counts.cycle
),

steps as (
    select
        *,
        log_e_value - coalesce(
            lag(log_e_value) over (partition by program, experiment_id, segment, metric order by cycle), 0
        ) as log_e_step
    from evidence
),

by_cycle as (
    select
        program,
        experiment_id,
        metric,
        metric_rank,
        cycle,
        max(srm_threshold) as srm_threshold,
        {{ exact_sum('log_e_step') }} as log_e_step
    from steps
    group by program, experiment_id, metric, metric_rank, cycle
),

so_far as (
    select
        *,
        cast(sum(log_e_step) over (partition by program, experiment_id, metric order by cycle) as double) as log_e_value
    from by_cycle
),

-- The k-th metric has to bring k (k - 1) times the evidence: by chance all of them together reach that no oftener than one alone would.
found as (
    select
        program,
        experiment_id,
        metric,
        metric_rank,
        min(cycle) as cycle
    from so_far
    where log_e_value >= ln(srm_threshold * metric_rank * (metric_rank - 1))
    group by program, experiment_id, metric, metric_rank
)

select
    program,
    experiment_id,
    metric,
    cycle,
    row_number() over (partition by program, experiment_id order by cycle, metric_rank) = 1 as is_first
from found
