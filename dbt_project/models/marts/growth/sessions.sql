-- One row per UTC day on which a session started: how many, how long, and in how many of them somebody clicked a creative.

with

terms as (
    select * from {{ ref('int_growth_terms') }}
),

days as (
    select * from {{ ref('int_people__session_days') }}
),

judged as (
    select
        days.*,
        terms.min_people,
        terms.interval_z,
        {{ ratio_error('people', 'seconds', 'sessions', 'seconds_squared', 'seconds_sessions', 'sessions_squared') }}
        * terms.interval_z as half_width,
        coalesce({{ days_after('days.started_on', 1) }} < terms.unseen_from, false) as is_mature
    from days
    cross join terms
),

reasoned as (
    select
        *,
        people >= min_people as meets_min_sample,
        {{ withheld_reason('is_mature', 'people', 'min_people') }} as withheld_reason
    from judged
)

select
    started_on as day,
    people,
    sessions,
    clicked,
    events,
    sessions as n,
    case when withheld_reason is null then clicked / cast(sessions as double) end as rate,
    case when withheld_reason is null then {{ wilson_low('clicked', 'sessions', 'interval_z') }} end as ci_low,
    case when withheld_reason is null then {{ wilson_high('clicked', 'sessions', 'interval_z') }} end as ci_high,
    case when withheld_reason is null then seconds / sessions end as mean_seconds,
    case when withheld_reason is null then seconds / sessions - half_width end as mean_seconds_low,
    case when withheld_reason is null then seconds / sessions + half_width end as mean_seconds_high,
    case when withheld_reason is null then sessions / cast(people as double) end as sessions_per_person,
    is_mature,
    meets_min_sample,
    withheld_reason
from reasoned
