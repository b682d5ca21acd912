-- One row per experiment, person and metric, in the cycle that counted it: the first look at which the person's window, and the
-- grace for late events, had passed. Only events ingested before that look count, so a row never changes once it is written;
-- each build adds the persons that became mature, and the cost of a day does not grow with history.

{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='fail') }}

with

assignments as (
    select * from {{ ref('stg_ledger__assignments') }}
),

experiments as (
    select distinct experiment_id, program from {{ ref('stg_ledger__arms') }}
),

metrics as (
    select * from {{ ref('stg_ledger__metrics') }}
),

cycles as (
    select looks.*
    from {{ ref('stg_ledger__cycles') }} as looks
    {% if is_incremental() %}
        left join (select program, max(counted_as_of) as as_of from {{ this }} group by program) as counted
            on looks.program = counted.program
        where counted.as_of is null or looks.as_of > counted.as_of
    {% endif %}
),

policy as (
    select * from {{ ref('int_policy') }}
),

events as (
    select * from {{ ref('stg_events__events') }} where is_human
),

due as (
    select
        experiments.program,
        assignments.experiment_id,
        assignments.user_id,
        assignments.segment,
        assignments.creative_id,
        assignments.assigned_at,
        metrics.metric,
        metrics.event_name,
        metrics.value_kind,
        metrics.cap,
        {{ time_after_days('assignments.assigned_at', 'metrics.within_days') }} as window_ends_at,
        cycles.cycle as counted_in_cycle,
        cycles.as_of as counted_as_of
    from assignments
    inner join experiments on assignments.experiment_id = experiments.experiment_id
    inner join metrics on experiments.program = metrics.program
    inner join policy on experiments.program = policy.program
    inner join cycles
        on
            experiments.program = cycles.program
            and {{ time_after_days('assignments.assigned_at', 'metrics.within_days + policy.late_grace_days') }} <= cycles.as_of
            and (
                cycles.previous_as_of is null
                or {{ time_after_days('assignments.assigned_at', 'metrics.within_days + policy.late_grace_days') }} > cycles.previous_as_of
            )
),

-- An event that names an experiment counts for that one alone; one that names none (an order) counts for every open window.
outcomes as (
    select
        due.experiment_id,
        due.user_id,
        due.metric,
        count(*) as events,
        cast(sum(coalesce(events.value, 0)) as double) as event_value
    from due
    inner join events
        on
            due.user_id = events.user_id
            and due.event_name = events.event_name
            and events.occurred_at >= due.assigned_at
            and events.occurred_at < due.window_ends_at
            and events.ingested_at <= due.counted_as_of
            and (events.experiment_id is null or events.experiment_id = due.experiment_id)
    group by due.experiment_id, due.user_id, due.metric
),

-- The same person's four weeks before: the covariate of variance reduction (CUPED), known before assignment.
before as (
    select
        due.experiment_id,
        due.user_id,
        due.metric,
        least(count(*), 20) as events
    from due
    inner join events
        on
            due.user_id = events.user_id
            and due.event_name = events.event_name
            and events.occurred_at >= {{ time_after_days('due.assigned_at', -28) }}
            and events.occurred_at < due.assigned_at
            and events.ingested_at <= due.counted_as_of
    group by due.experiment_id, due.user_id, due.metric
),

exposures as (
    select
        experiment_id,
        user_id,
        min(ingested_at) as known_at
    from events
    where event_name = 'Email Delivered' and experiment_id is not null
    group by experiment_id, user_id
)

select
    due.program,
    due.experiment_id,
    due.user_id,
    due.segment,
    due.creative_id,
    due.metric,
    due.counted_in_cycle,
    due.counted_as_of,
    cast(due.assigned_at as date) as assigned_on,
    exposures.user_id is not null as is_exposed,
    cast(
        case due.value_kind
            when 'any' then least(coalesce(outcomes.events, 0), 1)
            when 'count' then least(coalesce(outcomes.events, 0), coalesce(due.cap, 1e9))
            else least(coalesce(outcomes.event_value, 0), coalesce(due.cap, 1e18))
        end as double
    ) as outcome,
    cast(coalesce(before.events, 0) as double) as covariate
from due
left join outcomes
    on due.experiment_id = outcomes.experiment_id and due.user_id = outcomes.user_id and due.metric = outcomes.metric
left join before
    on due.experiment_id = before.experiment_id and due.user_id = before.user_id and due.metric = before.metric
left join exposures
    on
        due.experiment_id = exposures.experiment_id
        and due.user_id = exposures.user_id
        and exposures.known_at <= due.counted_as_of
