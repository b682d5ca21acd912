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
        built_through,
        received_events
    from {{ ref('stg_events__learned') }}
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

    -- Of pieces that are the same, the one that nothing reached so far comes first: it is the one that may begin a part.
    numbered as (
        select
            reached.*,
            sum(case when {{ seconds_between('reached.reached_at', 'reached.started_at') }} <= terms.gap_seconds then 0 else 1 end) over (
                partition by reached.user_id, reached.activity_on
                order by reached.started_at, reached.ended_at, reached.reached_at nulls first
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
    -- Most days tell their parts by themselves: all within one gap, or two events further apart than it. Events are read for the others.
    told_days as (
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
            and (
                {{ seconds_between('known.first_event_at', 'known.last_event_at') }} <= terms.gap_seconds
                or (known.events = 2 and known.clicks = 0)
            )
            {% if owed.made is not none %} and {{ any_of('known.activity_on', owed.made) }} {% endif %}
    ),

    open_days as (
        select
            known.user_id,
            known.activity_on
        from {{ ref('int_people__known_days') }} as known
        cross join terms
        where
            {{ seconds_between('known.first_event_at', 'known.last_event_at') }} > terms.gap_seconds
            and (known.events > 2 or known.clicks > 0)
            {% if owed.made is not none %} and {{ any_of('known.activity_on', owed.made) }} {% endif %}
    ),

    ends as (
        select true as is_first
        union all
        select false as is_first
    ),

    told as (
        select
            told_days.user_id,
            told_days.activity_on,
            case when ends.is_first then told_days.first_event_at else told_days.last_event_at end as started_at,
            case
                when ends.is_first and not told_days.is_one_part then told_days.first_event_at
                else told_days.last_event_at
            end as ended_at,
            case when told_days.is_one_part then told_days.events else 1 end as events,
            case when told_days.is_one_part then told_days.clicks else 0 end as clicks
        from told_days
        inner join ends on ends.is_first or not told_days.is_one_part
    ),

    -- A day's instants are cut as a list: windows over all events at once ran out of memory where there are many.
    listed as (
        select
            user_id,
            activity_on,
            {{ sorted_list(micros_of('occurred_at')) }} as instants,
            {{ sorted_list('case when clicks = 1 then ' ~ micros_of('occurred_at') ~ ' end') }} as clicked
        from events
        where (user_id, activity_on) in (select user_id, activity_on from open_days)
        group by user_id, activity_on
    ),

    cut as (
        select
            listed.*,
            {{ places_after_gaps('listed.instants', '1000000 * terms.gap_seconds') }} as places
        from listed
        cross join terms
    ),

    begun as (
        select
            *,
            {{ each_item_in_order('places', 'first_place', 'part') }}
        from cut
    ),

    bounded as (
        select
            *,
            coalesce({{ item_of('places', 'part + 1') }}, {{ length_of('instants') }} + 1) - 1 as last_place
        from begun
    ),

    found as (
        select
            user_id,
            activity_on,
            {{ item_of('instants', 'first_place') }} as began,
            {{ item_of('instants', 'last_place') }} as ended,
            last_place - first_place + 1 as events,
            clicked
        from bounded
    ),

    parts as (
        select
            user_id,
            activity_on,
            {{ time_of_micros('began') }} as started_at,
            {{ time_of_micros('ended') }} as ended_at,
            events,
            {{ items_between('clicked', 'began', 'ended') }} as clicks
        from found
        union all
        select * from told
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
