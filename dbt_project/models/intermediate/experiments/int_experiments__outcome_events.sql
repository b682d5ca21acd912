-- One row per happening that some program's metric counts: events as they were told, and what growth metrics are made of, under names of
-- their own (`Any Activity`, `Net Revenue`, `Friend Signed Up`, `Activation Step`). So any growth metric can be an objective or a guardrail
-- and is counted by the same rules. Each row carries when the warehouse knew it, so that a past look sees only what it could see.
-- Whose it is changes when a merge of ids becomes known: an event under an id that was merged away has two rows, one for the id until then
-- and one for the person from then on.
-- A view: names that no metric asks for cost nothing. Names of former definitions stay: experiments are counted by the one they started
-- under.

{{ config(materialized='view') }}

with

wanted as (
    select distinct event_name from {{ ref('stg_ledger__metric_definitions') }}
),

events as (
    select * from {{ ref('stg_events__events') }} where is_human and is_known_version and user_id is not null
),

steps as (
    select distinct
        program,
        steps,
        event_name,
        token
    from {{ ref('int_experiments__steps') }}
),

aliases as (
    select * from {{ ref('stg_events__aliases') }}
),

-- Which rows an event has: one, or two.
sides as (
    select
        false as is_alias,
        false as is_merged
    union all
    select
        true as is_alias,
        false as is_merged
    union all
    select
        true as is_alias,
        true as is_merged
),

happened as (
    select
        events.event_name,
        cast(null as string) as program,
        cast(null as string) as steps,
        events.source,
        events.event_id,
        events.user_id,
        events.experiment_id,
        cast(events.value as double) as value,
        cast(null as bigint) as token,
        events.occurred_at,
        events.ingested_at
    from events
    inner join wanted on events.event_name = wanted.event_name
    union all
    -- A click in one experiment's message is activity in the window of every other one too.
    select
        wanted.event_name,
        cast(null as string) as program,
        cast(null as string) as steps,
        events.source,
        events.event_id,
        events.user_id,
        cast(null as string) as experiment_id,
        cast(null as double) as value,
        cast(null as bigint) as token,
        events.occurred_at,
        events.ingested_at
    from events
    inner join wanted on wanted.event_name = 'Any Activity'
    where events.is_activity
    union all
    select
        wanted.event_name,
        cast(null as string) as program,
        cast(null as string) as steps,
        entries.source,
        entries.event_id,
        entries.told_by as user_id,
        cast(null as string) as experiment_id,
        entries.amount as value,
        cast(null as bigint) as token,
        entries.occurred_at,
        entries.ingested_at
    from {{ ref('int_revenue__entries') }} as entries
    inner join wanted on wanted.event_name = 'Net Revenue'
    where entries.amount is not null
    union all
    select
        wanted.event_name,
        cast(null as string) as program,
        cast(null as string) as steps,
        'referrals' as source,
        referrals.user_id as event_id,
        referrals.invited_by as user_id,
        cast(null as string) as experiment_id,
        cast(null as double) as value,
        cast(null as bigint) as token,
        referrals.signed_up_at as occurred_at,
        referrals.known_at as ingested_at
    from {{ ref('int_people__referrals') }} as referrals
    inner join wanted on wanted.event_name = 'Friend Signed Up'
    union all
    select
        'Activation Step' as event_name,
        steps.program,
        steps.steps,
        events.source,
        events.event_id,
        events.user_id,
        cast(null as string) as experiment_id,
        cast(null as double) as value,
        cast(steps.token as bigint) as token,
        events.occurred_at,
        events.ingested_at
    from events
    inner join steps on events.event_name = steps.event_name
)

select
    happened.event_name,
    happened.program,
    happened.steps,
    happened.source,
    happened.event_id,
    case when sides.is_merged then aliases.person_id else happened.user_id end as user_id,
    happened.user_id as told_by,
    happened.experiment_id,
    happened.value,
    happened.token,
    happened.occurred_at,
    happened.ingested_at,
    case when sides.is_merged then aliases.told_at end as person_from,
    case when sides.is_alias and not sides.is_merged then aliases.told_at end as person_until
from happened
left join aliases on happened.user_id = aliases.user_id
inner join sides on (aliases.user_id is not null) = sides.is_alias
