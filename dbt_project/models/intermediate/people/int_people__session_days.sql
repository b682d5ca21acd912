-- One row per UTC day on which a session started: sums over people, squares and products included, so that the mart never reads sessions.
-- A build makes anew the days whose parts changed, and their neighbours.

{% set days = days_around(changed_days(this, ref('int_people__session_parts')), 1, 1) %}

{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ without_rows(this, any_of('started_on', days_around(changed_days(this, ref('int_people__session_parts')), 1, 1))) }}",
) }}

with

sessions as (
    {{ sessions_started(days if is_incremental() else none) | indent(4) }}
),

learned as (
    select * from {{ ref('stg_events__learned') }}
),

people as (
    select
        user_id,
        started_on,
        count(*) as sessions,
        count(case when clicks > 0 then 1 end) as clicked,
        sum(events) as events,
        {{ exact_total('length_seconds') }} as seconds
    from sessions
    group by user_id, started_on
),

days as (
    select
        started_on,
        count(*) as people,
        cast(sum(sessions) as bigint) as sessions,
        cast(sum(clicked) as bigint) as clicked,
        cast(sum(events) as bigint) as events,
        {{ exact_total('seconds') }} as seconds,
        {{ exact_total('seconds * seconds') }} as seconds_squared,
        {{ exact_total('seconds * sessions') }} as seconds_sessions,
        {{ exact_total('sessions * sessions') }} as sessions_squared
    from people
    group by started_on
)

select
    days.*,
    learned.built_through,
    learned.received_events
from days
cross join learned
