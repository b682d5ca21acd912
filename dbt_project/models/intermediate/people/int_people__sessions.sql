-- One row per session of a person: activity without a gap of more than session_gap_minutes. A session belongs to the UTC day on which it
-- started. It may run over one midnight, not two: what began within the gap after a midnight may itself be a continuation, and nothing
-- continues it into the next day. So a day's sessions follow from that day and its neighbours, and a late event repairs three days.

{% set made_anew, read = days_around_touched(this, 1, 1), days_around_touched(this, 2, 2) %}

{{ config(
    materialized='incremental',
    on_schema_change='fail',
    pre_hook="{{ without_days(this, 'started_on', days_around_touched(this, 1, 1)) }}",
    **replaced_by('started_on'),
) }}

with

terms as (
    select
        {{ policy('session_gap_minutes') }} * 60 as gap_seconds,
        max(built_through) as built_through,
        max(received_events) as received_events
    from {{ ref('stg_events__keys') }}
),

days as (
    select
        known.user_id,
        known.activity_on,
        known.events,
        known.clicks,
        known.first_event_at,
        known.last_event_at,
        {{ seconds_between('known.first_event_at', 'known.last_event_at') }} <= terms.gap_seconds as is_one_part
    from {{ ref('int_people__known_days') }} as known
    cross join terms
    where
        known.events > 0
        {% if is_incremental() %}
            and known.activity_on in ({{ read | join(', ') }})
        {% endif %}
),

-- Most days tell their parts by themselves: all within one gap, or two events further apart than it. Events are read for the others.
told_days as (
    select * from days
    where is_one_part or (events = 2 and clicks = 0)
),

open_days as (
    select * from days
    where not is_one_part and (events > 2 or clicks > 0)
),

events as (
    select
        person_id as user_id,
        occurred_at,
        cast(occurred_at as date) as activity_on,
        case
            when
                creative_id is not null
                and event_name in ({{ click_events() }})
                then 1
            else 0
        end as clicks
    from {{ ref('stg_events__events') }}
    where
        is_activity
        {{ and_is_touched(read) }}
),

ordered as (
    select
        events.user_id,
        events.activity_on,
        events.occurred_at,
        open_days.events as events_of_day,
        open_days.clicks as clicks_of_day,
        open_days.last_event_at,
        lag(events.occurred_at) over day_in_order as before_at,
        row_number() over day_in_order as place,
        (sum(events.clicks) over day_so_far) - events.clicks as clicks_before
    from events
    inner join open_days on events.user_id = open_days.user_id and events.activity_on = open_days.activity_on
    window
        day_in_order as (partition by events.user_id, events.activity_on order by events.occurred_at),
        day_so_far as (
            partition by events.user_id, events.activity_on order by events.occurred_at
            rows between unbounded preceding and current row
        )
),

starts as (
    select ordered.*
    from ordered
    cross join terms
    where ordered.place = 1 or {{ seconds_between('ordered.before_at', 'ordered.occurred_at') }} > terms.gap_seconds
),

counted as (
    select
        user_id,
        activity_on,
        occurred_at as started_at,
        coalesce(lead(before_at) over day_so_far, last_event_at) as ended_at,
        coalesce(lead(place) over day_so_far, events_of_day + 1) - place as events,
        coalesce(lead(clicks_before) over day_so_far, clicks_of_day) - clicks_before as clicks
    from starts
    window day_so_far as (partition by user_id, activity_on order by place)
),

parts as (
    select
        user_id,
        activity_on,
        started_at,
        ended_at,
        events,
        clicks
    from counted
    union all
    select
        user_id,
        activity_on,
        first_event_at as started_at,
        case when is_one_part then last_event_at else first_event_at end as ended_at,
        case when is_one_part then events else 1 end as events,
        clicks
    from told_days
    union all
    select
        user_id,
        activity_on,
        last_event_at as started_at,
        last_event_at as ended_at,
        1 as events,
        0 as clicks
    from told_days
    where not is_one_part
),

placed as (
    select
        parts.*,
        parts.started_at <= {{ time_after_seconds('cast(parts.activity_on as timestamp)', 'terms.gap_seconds') }}
        or parts.ended_at >= {{ time_after_seconds('cast(parts.activity_on as timestamp)', '86400 - terms.gap_seconds') }} as is_near_midnight
    from parts
    cross join terms
),

-- Only parts within the gap of a midnight can go on beyond it, or be what goes on.
beside as (
    select
        *,
        lag(activity_on) over person_so_far as before_on,
        lag(started_at) over person_so_far as before_started_at,
        lag(ended_at) over person_so_far as before_ended_at
    from placed
    where is_near_midnight
    window person_so_far as (partition by user_id order by started_at)
),

joined_at_midnight as (
    select
        beside.*,
        coalesce(
            beside.before_on < beside.activity_on
            and {{ seconds_between('beside.before_ended_at', 'beside.started_at') }} <= terms.gap_seconds
            and {{ seconds_between('cast(beside.before_on as timestamp)', 'beside.before_started_at') }} > terms.gap_seconds,
            false
        ) as is_continuation
    from beside
    cross join terms
),

followed as (
    select
        *,
        lead(is_continuation) over person_so_far as goes_on,
        lead(ended_at) over person_so_far as next_ended_at,
        lead(events) over person_so_far as next_events,
        lead(clicks) over person_so_far as next_clicks
    from joined_at_midnight
    window person_so_far as (partition by user_id order by started_at)
),

sessions as (
    select
        user_id,
        activity_on,
        started_at,
        ended_at,
        events,
        clicks
    from placed
    where not is_near_midnight
    union all
    select
        user_id,
        activity_on,
        started_at,
        case when goes_on then next_ended_at else ended_at end as ended_at,
        events + case when goes_on then next_events else 0 end as events,
        clicks + case when goes_on then next_clicks else 0 end as clicks
    from followed
    where not is_continuation
)

select
    sessions.user_id,
    sessions.activity_on as started_on,
    sessions.started_at,
    sessions.ended_at,
    cast({{ seconds_between('sessions.started_at', 'sessions.ended_at') }} as double) as length_seconds,
    cast(sessions.events as bigint) as events,
    cast(sessions.clicks as bigint) as clicks,
    terms.built_through,
    terms.received_events
from sessions
cross join terms
{% if is_incremental() %}
    where sessions.activity_on in ({{ made_anew | join(', ') }})
{% endif %}
