-- One row per experiment, person and metric, in the cycle that counted it: the first look at which the person's window, and the
-- grace for late events, had passed. Only events ingested before that look count, so a row never changes once it is written;
-- each build adds the persons that became mature, and the cost of a day does not grow with history.
-- An event counts for the person whose it was known to be at that look. Where two ids of a person were assigned in one experiment, each
-- keeps what was told under it.
-- Whatever becomes of a metric's definition, an experiment is counted by the one it started under: int_experiments__metrics says how.
-- The batch was added later: rows counted before it have none, and were one batch.

{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='append_new_columns',
    meta={'rows': 'final'},
) }}

with

assignments as (
    select * from {{ ref('stg_ledger__assignments') }}
),

metrics as (
    select * from {{ ref('int_experiments__metrics') }}
),

aliases as (
    select * from {{ ref('stg_events__aliases') }}
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
    select * from {{ ref('int_experiments__outcome_events') }}
),

-- The steps in order, as a pattern for `like` over the tokens of a person's steps: %|1|%|2|%|3|%. A step named twice has one token, that of
-- its first place, and the pattern asks for it twice.
patterns as (
    select
        program,
        steps,
        concat('%', {{ joined_text("concat('|', token, '|%')", 'step_number') }}) as pattern
    from {{ ref('int_experiments__steps') }}
    group by program, steps
),

matured as (
    select
        metrics.program,
        assignments.experiment_id,
        assignments.user_id,
        coalesce(aliases.person_id, assignments.user_id) as person_id,
        assignments.segment,
        assignments.creative_id,
        assignments.assigned_at,
        assignments.batch,
        metrics.metric,
        metrics.event_name,
        metrics.steps,
        metrics.value_kind,
        metrics.cap,
        metrics.at_least,
        {{ time_after_days('assignments.assigned_at', 'metrics.after_days') }} as window_starts_at,
        {{ time_after_days('assignments.assigned_at', 'metrics.within_days') }} as window_ends_at,
        cycles.cycle as counted_in_cycle,
        cycles.as_of as counted_as_of
    from assignments
    inner join metrics on assignments.experiment_id = metrics.experiment_id
    inner join policy on metrics.program = policy.program
    inner join cycles
        on
            metrics.program = cycles.program
            and {{ time_after_days('assignments.assigned_at', 'metrics.within_days + policy.late_grace_days') }} <= cycles.as_of
            and (
                cycles.previous_as_of is null
                or {{ time_after_days('assignments.assigned_at', 'metrics.within_days + policy.late_grace_days') }} > cycles.previous_as_of
            )
    left join aliases on assignments.user_id = aliases.user_id and aliases.told_at <= cycles.as_of
),

{% if is_incremental() %}
counted_before as (
    select
        experiment_id,
        user_id,
        metric
    from {{ this }}
    where counted_as_of > (select min(assigned_at) from matured)
),

{% endif %}
-- Nobody is counted twice for one metric, whatever became of its definition or of the grace for late events in between.
due as (
    select matured.*
    from matured
    {% if is_incremental() %}
        left join counted_before
            on
                matured.experiment_id = counted_before.experiment_id
                and matured.user_id = counted_before.user_id
                and matured.metric = counted_before.metric
        where counted_before.experiment_id is null
    {% endif %}
),

-- An event that names an experiment counts for that one alone; one that names none (an order) counts for every open window.
matched as (
    select
        due.program,
        due.experiment_id,
        due.user_id,
        due.metric,
        due.value_kind,
        due.steps,
        events.occurred_at,
        events.value,
        events.token
    from due
    inner join events
        on
            due.person_id = events.user_id
            and (events.person_from is null or events.person_from <= due.counted_as_of)
            and (events.person_until is null or events.person_until > due.counted_as_of)
            and due.event_name = events.event_name
            and events.occurred_at >= due.window_starts_at
            and events.occurred_at < due.window_ends_at
            and events.ingested_at <= due.counted_as_of
            and (events.experiment_id is null or events.experiment_id = due.experiment_id)
            and (events.program is null or (events.program = due.program and events.steps = due.steps))
    left join assignments as own
        on due.experiment_id = own.experiment_id and events.told_by = own.user_id and due.user_id <> own.user_id
    where own.user_id is null
),

gapped as (
    select
        matched.*,
        {{ seconds_between('lag(matched.occurred_at) over window_so_far', 'matched.occurred_at') }}
        <= {{ policy('session_gap_minutes') }} * 60 as goes_on
    from matched
    where value_kind = 'sessions'
    window window_so_far as (partition by matched.experiment_id, matched.user_id, matched.metric order by matched.occurred_at)
),

outcomes as (
    select
        experiment_id,
        user_id,
        metric,
        count(*) as events,
        {{ exact_total(told_amount('value')) }} as event_value
    from matched
    where value_kind in ('any', 'count', 'sum')
    group by experiment_id, user_id, metric
    union all
    select
        experiment_id,
        user_id,
        metric,
        count(distinct cast(occurred_at as date)) as events,
        cast(null as double) as event_value
    from matched
    where value_kind = 'days'
    group by experiment_id, user_id, metric
    union all
    select
        experiment_id,
        user_id,
        metric,
        count(case when not coalesce(goes_on, false) then 1 end) as events,
        cast(null as double) as event_value
    from gapped
    group by experiment_id, user_id, metric
    union all
    select
        matched.experiment_id,
        matched.user_id,
        matched.metric,
        case when {{ joined_text("concat('|', matched.token, '|')", 'matched.occurred_at, matched.token') }}
                like max(patterns.pattern) then 1 else 0 end as events,
        cast(null as double) as event_value
    from matched
    inner join patterns on matched.program = patterns.program and matched.steps = patterns.steps
    where matched.value_kind = 'steps'
    group by matched.experiment_id, matched.user_id, matched.metric
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
            due.person_id = events.user_id
            and (events.person_from is null or events.person_from <= due.counted_as_of)
            and (events.person_until is null or events.person_until > due.counted_as_of)
            and due.event_name = events.event_name
            and events.occurred_at >= {{ time_after_days('due.assigned_at', -28) }}
            and events.occurred_at < due.assigned_at
            and events.ingested_at <= due.counted_as_of
            and (events.program is null or (events.program = due.program and events.steps = due.steps))
    left join assignments as own
        on due.experiment_id = own.experiment_id and events.told_by = own.user_id and due.user_id <> own.user_id
    where own.user_id is null
    group by due.experiment_id, due.user_id, due.metric
),

exposures as (
    select
        experiment_id,
        user_id,
        min(ingested_at) as known_at
    from {{ ref('stg_events__events') }}
    where is_human and event_name = 'Email Delivered' and experiment_id is not null
    group by experiment_id, user_id
),

-- Where nobody reports deliveries (another channel than mail, a relay without webhooks), nobody is known not to have been reached.
reported as (
    select
        experiment_id,
        min(known_at) as known_at
    from exposures
    group by experiment_id
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
    case when reported.experiment_id is not null then exposures.user_id is not null end as is_exposed,
    {{ person_outcome('due.value_kind', 'outcomes.events', 'outcomes.event_value', 'due.cap', 'due.at_least') }} as outcome,
    cast(coalesce(before.events, 0) as double) as covariate,
    due.batch
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
left join reported on due.experiment_id = reported.experiment_id and reported.known_at <= due.counted_as_of
