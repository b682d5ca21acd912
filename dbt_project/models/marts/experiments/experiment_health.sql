-- One row per program, experiment and cycle in which it gained people: may its results be believed so far?
-- Sequential sample ratio test (Lindon and Malek, NeurIPS 2022): segments are independent, so their log e-values add up; so do those of
-- the batches of a send, each against the chances fixed before it. An experiment found unhealthy once stays so.
-- The holdout is the same people in every send, while those who are written to leave the audience as they answer or unsubscribe: its share
-- grows without any fault. So the test is about what a send dealt: the arms, among the people outside the holdout.
-- Where a file tells the planned shares of some arms only there is nothing to test against, and the row says so.
-- A dry run is no experiment: whatever its people did, no text did it.

with

statistics as (
    select * from {{ ref('experiment_statistics') }}
),

allocations as (
    select
        *,
        sum(case when role = 'holdout' then probability else 0 end)
            over (partition by program, experiment_id, segment, batch) as held_out
    from {{ ref('int_experiments__allocations') }}
),

arms as (
    select
        program,
        experiment_id,
        segment,
        batch,
        creative_id,
        case when held_out > 0 then probability / (1 - held_out) else probability end as probability,
        coalesce(are_shares_known, true) as are_shares_known,
        held_out > 0 as has_holdout
    from allocations
    where coalesce(role, 'arm') <> 'holdout'
),

policy as (
    select * from {{ ref('int_policy') }}
),

messages as (
    select * from {{ ref('int_experiments__messages') }}
),

dry_runs as (
    select * from {{ ref('int_experiments__dry_runs') }}
),

-- Every metric counts the same people once their window has passed; the one that counted first says how many there are. Chosen at the
-- first look alone: a metric that comes later must not move an earlier row. Those of past experiments are judged one by one, in
-- int_experiments__mismatched_metrics.
metric_units as (
    select
        program,
        experiment_id,
        metric,
        row_number() over (partition by program, experiment_id order by cycle, sum(n) desc, metric) as metric_rank
    from statistics
    group by program, experiment_id, metric, cycle
),

increments as (
    select
        statistics.program,
        statistics.experiment_id,
        statistics.segment,
        statistics.batch,
        statistics.creative_id,
        statistics.cycle,
        sum(statistics.n) as n
    from statistics
    inner join metric_units
        on
            statistics.program = metric_units.program
            and statistics.experiment_id = metric_units.experiment_id
            and statistics.metric = metric_units.metric
            and metric_units.metric_rank = 1
    group by
        statistics.program, statistics.experiment_id, statistics.segment, statistics.batch, statistics.creative_id, statistics.cycle
),

looks as (
    select distinct program, experiment_id, segment, batch, cycle from increments
),

-- What a later file adds to an experiment came after people were dealt to the arms: it takes no part, and moves no earlier row.
-- An arm that received nobody is part of the comparison: its zero is the loudest mismatch of all.
counts as (
    select
        looks.program,
        looks.experiment_id,
        looks.segment,
        looks.batch,
        looks.cycle,
        arms.creative_id,
        arms.probability,
        arms.are_shares_known,
        arms.has_holdout,
        sum(coalesce(increments.n, 0)) over (
            partition by looks.program, looks.experiment_id, looks.segment, looks.batch, arms.creative_id order by looks.cycle
        ) as n
    from looks
    inner join arms
        on
            looks.program = arms.program
            and looks.experiment_id = arms.experiment_id
            and looks.segment = arms.segment
            and looks.batch = arms.batch
    left join increments
        on
            looks.program = increments.program
            and looks.experiment_id = increments.experiment_id
            and looks.segment = increments.segment
            and looks.batch = increments.batch
            and looks.cycle = increments.cycle
            and arms.creative_id = increments.creative_id
),

segment_evidence as (
    select
        counts.program,
        counts.experiment_id,
        counts.segment,
        counts.batch,
        counts.cycle,
        count(*) + max(case when counts.has_holdout then 1 else 0 end) as arms,
        sum(counts.n) as units,
        max(policy.srm_threshold) as srm_threshold,
        bool_and(counts.are_shares_known) as is_tested,
        case
            when bool_and(counts.are_shares_known)
                then
                    {{ exact_total(log_e_srm_arm('counts.n', 'counts.probability', 'policy.srm_strength')) }}
                    + {{ log_e_srm_total('sum(counts.n)', 'max(policy.srm_strength)') }}
        end as log_e_value
    from counts
    inner join policy on counts.program = policy.program
    group by counts.program, counts.experiment_id, counts.segment, counts.batch, counts.cycle
),

-- A segment that gained nobody in a cycle keeps what it said before: its evidence changes by its increments.
steps as (
    select
        *,
        log_e_value - coalesce(
            lag(log_e_value) over (partition by program, experiment_id, segment, batch order by cycle), 0
        ) as log_e_step,
        units - coalesce(lag(units) over (partition by program, experiment_id, segment, batch order by cycle), 0) as units_step
    from segment_evidence
),

by_cycle as (
    select
        program,
        experiment_id,
        cycle,
        max(arms) as arms,
        max(srm_threshold) as srm_threshold,
        max(case when is_tested then 0 else 1 end) as has_untested,
        sum(units_step) as units_step,
        {{ exact_sum('log_e_step') }} as log_e_step
    from steps
    group by program, experiment_id, cycle
),

so_far as (
    select
        *,
        max(has_untested) over (partition by program, experiment_id order by cycle) = 1 as is_partly_untested,
        sum(units_step) over (partition by program, experiment_id order by cycle) as units,
        cast(sum(log_e_step) over (partition by program, experiment_id order by cycle) as double) as log_srm_e_value
    from by_cycle
),

peaked as (
    select
        *,
        max(log_srm_e_value) over (partition by program, experiment_id order by cycle) as log_srm_e_value_peak
    from so_far
),

-- The program's alarm: many broken experiments in one cycle mean that the machine that randomises is broken, so the cycle's other
-- experiments are not to be believed either, though each alone is too small to show it.
shares as (
    select
        *,
        avg(case when log_srm_e_value_peak >= ln(srm_threshold) then 1e0 else 0e0 end)
            over (partition by program, cycle, arms >= 2) as unhealthy_share,
        count(case when log_srm_e_value_peak >= ln(srm_threshold) then 1 end)
            over (partition by program, cycle, arms >= 2) as unhealthy_in_cycle,
        count(*) over (partition by program, cycle, arms >= 2) as experiments_in_cycle
    from peaked
),

judged as (
    select
        shares.*,
        shares.log_srm_e_value_peak >= ln(shares.srm_threshold) as is_unhealthy,
        shares.experiments_in_cycle >= policy.srm_alarm_experiments
        and shares.unhealthy_in_cycle >= policy.srm_alarm_unhealthy
        and shares.unhealthy_share >= policy.srm_alarm_share as is_alarm
    from shares
    inner join policy on shares.program = policy.program
),

found as (
    select * from {{ ref('int_experiments__mismatched_metrics') }} where is_first
),

-- The metric by which an experiment was found out first may be counted in a cycle in which nobody else was: that look has a row too.
all_looks as (
    select
        program,
        experiment_id,
        cycle,
        cycle as judged_cycle
    from judged
    union all
    select
        found.program,
        found.experiment_id,
        found.cycle,
        max(judged.cycle) as judged_cycle
    from found
    inner join judged
        on found.program = judged.program and found.experiment_id = judged.experiment_id and found.cycle >= judged.cycle
    group by found.program, found.experiment_id, found.cycle
    having max(judged.cycle) < found.cycle and not bool_or(coalesce(judged.is_unhealthy, false))
),

answered as (
    select
        all_looks.program,
        all_looks.experiment_id,
        all_looks.cycle,
        judged.arms,
        judged.units,
        judged.log_srm_e_value,
        judged.unhealthy_share,
        judged.is_partly_untested,
        coalesce(judged.is_unhealthy, false) as is_unhealthy,
        judged.is_alarm,
        found.metric as unhealthy_metric
    from all_looks
    inner join judged
        on
            all_looks.program = judged.program
            and all_looks.experiment_id = judged.experiment_id
            and all_looks.judged_cycle = judged.cycle
    left join found
        on
            all_looks.program = found.program
            and all_looks.experiment_id = found.experiment_id
            and all_looks.cycle >= found.cycle
)

select
    answered.program,
    answered.experiment_id,
    answered.cycle,
    cast(answered.arms as bigint) as arms,
    answered.units,
    answered.log_srm_e_value,
    case when answered.log_srm_e_value is not null then exp(least(answered.log_srm_e_value, 700)) end as srm_e_value,
    answered.unhealthy_share,
    case
        when dry_runs.experiment_id is not null or answered.arms < 2 then 'not_comparable'
        when answered.is_unhealthy or answered.unhealthy_metric is not null then 'unhealthy'
        when answered.is_alarm then 'suspect'
        else 'healthy'
    end as status,
    case
        when dry_runs.experiment_id is not null then 'a dry run: nobody was written to'
        when answered.arms < 2 then 'one arm only: there is nothing to compare it with'
        when answered.is_unhealthy then 'sample ratio mismatch: people did not reach the arms in the planned shares'
        when answered.unhealthy_metric is not null
            then 'sample ratio mismatch: people counted for ' || answered.unhealthy_metric || ' did not reach the arms in the planned shares'
        when answered.is_alarm then 'program alarm: many experiments of this cycle have a sample ratio mismatch'
        when answered.log_srm_e_value is null then 'not tested for sample ratio mismatch: the planned shares are not all told'
        when answered.is_partly_untested
            then 'not tested in every segment for sample ratio mismatch: the planned shares are not all told'
    end as reason,
    messages.messages_planned,
    messages.messages_sent,
    messages.messages_refused,
    messages.messages_held_back,
    messages.messages_unknown,
    messages.messages_waiting,
    messages.messages_withheld_reason
from answered
left join messages
    on
        answered.program = messages.program
        and answered.experiment_id = messages.experiment_id
        and answered.cycle = messages.cycle
left join dry_runs on answered.experiment_id = dry_runs.experiment_id
