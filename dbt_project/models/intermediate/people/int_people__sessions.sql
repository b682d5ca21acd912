-- One row per session of a person: activity without a gap of more than session_gap_minutes. A session belongs to the UTC day on which it
-- started. It may run over one midnight, not two: what began within the gap after a midnight may itself be a continuation, and nothing
-- continues it into the next day. So at most one part of a day goes on, and at most one of the next continues it.

{{ config(materialized='view') }}

with

terms as (
    select {{ policy('session_gap_minutes') }} * 60 as gap_seconds
),

continuations as (
    select
        earlier.user_id,
        earlier.activity_on as goes_on_from,
        earlier.started_at as goes_on_since,
        later.activity_on,
        later.started_at,
        later.ended_at,
        later.events,
        later.clicks
    from {{ ref('int_people__session_parts') }} as earlier
    cross join terms
    inner join {{ ref('int_people__session_parts') }} as later
        on
            earlier.user_id = later.user_id
            and later.activity_on = {{ days_after('earlier.activity_on', 1) }}
            and {{ seconds_between('earlier.ended_at', 'later.started_at') }} <= terms.gap_seconds
    where
        earlier.is_near_midnight
        and later.is_near_midnight
        and {{ seconds_between('cast(earlier.activity_on as timestamp)', 'earlier.started_at') }} > terms.gap_seconds
)

select
    parts.user_id,
    parts.activity_on as started_on,
    parts.started_at,
    coalesce(continuations.ended_at, parts.ended_at) as ended_at,
    {{ seconds_between('parts.started_at', 'coalesce(continuations.ended_at, parts.ended_at)') }} as length_seconds,
    parts.events + coalesce(continuations.events, 0) as events,
    parts.clicks + coalesce(continuations.clicks, 0) as clicks
from {{ ref('int_people__session_parts') }} as parts
left join continuations
    on
        parts.user_id = continuations.user_id
        and parts.activity_on = continuations.goes_on_from
        and parts.started_at = continuations.goes_on_since
left join continuations as own
    on parts.user_id = own.user_id and parts.activity_on = own.activity_on and parts.started_at = own.started_at
where own.user_id is null
