-- One row per part of a person's UTC day: activity without a gap of more than session_gap_minutes. Parts that meet at midnight are one
-- session (int_people__sessions). New events join, lengthen or begin parts, and no event is read again.

{% set owed = owed_events(this, ref('int_people__known_days')) %}

{{ config(
    materialized='incremental',
    on_schema_change='fail',
    pre_hook="{{ without_days(this, 'activity_on', days_made_anew(this, ref('int_people__known_days'))) }}",
    **merged_by(['user_id', 'activity_on'], 'activity_on'),
) }}

with

terms as (
    select
        {{ policy('session_gap_minutes') }} * 60 as gap_seconds,
        max(built_through) as built_through,
        max(received_events) as received_events
    from {{ ref('stg_events__keys') }}
),

events as (
    select
        person_id as user_id,
        cast(occurred_at as date) as activity_on,
        occurred_at,
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
        {{ and_is_owed(owed) }}
),

{% if owed.merged %}
    before as (
        select
            user_id,
            activity_on,
            started_at,
            ended_at,
            events,
            clicks
        from {{ this }}
        where
            (user_id, activity_on) in (select user_id, activity_on from events)
            and {{ any_of('activity_on', owed.days) }}
            {% if owed.made %} and activity_on not in ({{ owed.made | join(', ') }}) {% endif %}
    ),

    pieces as (
        select * from before
        union all
        select
            user_id,
            activity_on,
            occurred_at as started_at,
            occurred_at as ended_at,
            1 as events,
            clicks
        from events
    ),

    reached as (
        select
            *,
            max(ended_at) over (
                partition by user_id, activity_on
                order by started_at, ended_at
                rows between unbounded preceding and 1 preceding
            ) as reached_at
        from pieces
    ),

    numbered as (
        select
            reached.*,
            sum(case when {{ seconds_between('reached.reached_at', 'reached.started_at') }} <= terms.gap_seconds then 0 else 1 end) over (
                partition by reached.user_id, reached.activity_on
                order by reached.started_at, reached.ended_at
                rows between unbounded preceding and current row
            ) as part
        from reached
        cross join terms
    ),

    parts as (
        select
            user_id,
            activity_on,
            min(started_at) as started_at,
            max(ended_at) as ended_at,
            sum(events) as events,
            sum(clicks) as clicks
        from numbered
        group by user_id, activity_on, part
    )
{% else %}
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
            {% if owed.made is not none %} and {{ any_of('known.activity_on', owed.made) }} {% endif %}
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
    )
{% endif %}

select
    parts.user_id,
    parts.activity_on,
    parts.started_at,
    parts.ended_at,
    cast(parts.events as bigint) as events,
    cast(parts.clicks as bigint) as clicks,
    parts.started_at <= {{ time_after_seconds('cast(parts.activity_on as timestamp)', 'terms.gap_seconds') }}
    or parts.ended_at >= {{ time_after_seconds('cast(parts.activity_on as timestamp)', '86400 - terms.gap_seconds') }} as is_near_midnight,
    terms.built_through,
    terms.received_events
from parts
cross join terms
{{ laid_out_by('activity_on') }}
