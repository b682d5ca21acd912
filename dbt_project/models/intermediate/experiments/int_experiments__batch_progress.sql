-- One row per experiment, segment, batch, creative and metric (objective and guardrails): early outcomes of a live send in batches, as far
-- as they are known. What the next batch's chances rest on, and never evidence: windows are still open. Everybody in a batch was
-- assigned at the same time, so inside a batch the arms have had equally long to be answered. Outcomes are those of
-- int_experiments__unit_outcomes, by the same definitions and from the same events; sessions and steps alone, which need an order of
-- events, are known when windows have passed and not before.

with

assignments as (
    select * from {{ ref('stg_ledger__assignments') }} where creative_id <> 'holdout'
),

experiments as (
    select distinct experiment_id, program from {{ ref('stg_ledger__arms') }}
),

programs as (
    select * from {{ ref('stg_ledger__programs') }}
    where cast({{ json_text('spec', '$.experiments.batches') }} as integer) > 1
),

aliases as (
    select * from {{ ref('stg_events__aliases') }}
),

closings as (
    select distinct program, experiment_id from {{ ref('int_experiments__closings') }}
),

metrics as (
    select * from {{ ref('int_experiments__metrics') }}
    where role in ('objective', 'guardrail') and value_kind in ('any', 'count', 'sum', 'days')
),

events as (
    select * from {{ ref('int_experiments__outcome_events') }}
),

-- Sends that still run: once closed, the evidence models speak for them.
open_assignments as (
    select
        experiments.program,
        assignments.*
    from assignments
    inner join experiments on assignments.experiment_id = experiments.experiment_id
    inner join programs on experiments.program = programs.program
    left join closings on experiments.program = closings.program and assignments.experiment_id = closings.experiment_id
    where closings.experiment_id is null
),

due as (
    select
        open_assignments.*,
        coalesce(aliases.person_id, open_assignments.user_id) as person_id,
        metrics.metric,
        metrics.event_name,
        metrics.steps,
        metrics.value_kind,
        metrics.cap,
        metrics.at_least,
        {{ time_after_days('open_assignments.assigned_at', 'metrics.after_days') }} as window_starts_at,
        {{ time_after_days('open_assignments.assigned_at', 'metrics.within_days') }} as window_ends_at
    from open_assignments
    inner join metrics on open_assignments.program = metrics.program and open_assignments.experiment_id = metrics.experiment_id
    left join aliases on open_assignments.user_id = aliases.user_id
),

happened as (
    select
        due.experiment_id,
        due.user_id,
        due.metric,
        case
            when max(due.value_kind) = 'days' then count(distinct cast(events.occurred_at as date))
            else count(*)
        end as events,
        {{ exact_total(told_amount('events.value')) }} as event_value
    from due
    inner join events
        on
            due.person_id = events.user_id
            and events.person_until is null
            and due.event_name = events.event_name
            and events.occurred_at >= due.window_starts_at
            and events.occurred_at < due.window_ends_at
            and (events.experiment_id is null or events.experiment_id = due.experiment_id)
            and (events.program is null or (events.program = due.program and events.steps = due.steps))
    left join assignments as own
        on due.experiment_id = own.experiment_id and events.told_by = own.user_id and due.user_id <> own.user_id
    where own.user_id is null
    group by due.experiment_id, due.user_id, due.metric
),

people as (
    select
        due.program,
        due.experiment_id,
        due.segment,
        due.batch,
        due.creative_id,
        due.metric,
        {{ person_outcome('due.value_kind', 'happened.events', 'happened.event_value', 'due.cap', 'due.at_least') }} as outcome
    from due
    left join happened
        on due.experiment_id = happened.experiment_id and due.user_id = happened.user_id and due.metric = happened.metric
)

select
    program,
    experiment_id,
    segment,
    batch,
    creative_id,
    metric,
    cast(count(*) as double) as n,
    {{ exact_total('outcome') }} as sum_y,
    {{ exact_total('outcome * outcome') }} as sum_y2
from people
group by program, experiment_id, segment, batch, creative_id, metric
