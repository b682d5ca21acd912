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

{% set clicks = ['Email Link Clicked', 'SMS Link Clicked', 'Push Notification Tapped', 'Promotion Clicked'] %}

with

events as (
    select * from {{ ref('stg_events__events') }}
),

terms as (
    select
        {{ policy('session_gap_minutes') }} * 60 as gap_seconds,
        max(built_through) as built_through,
        max(received_events) as received_events
    from {{ ref('stg_events__keys') }}
),

activity as (
    select
        person_id as user_id,
        occurred_at,
        cast(occurred_at as date) as activity_on,
        case
            when event_name in ('{{ clicks | join("', '") }}') and creative_id is not null then 1
            else 0
        end as clicks
    from events
    where
        is_activity
        {{ and_is_touched(read) }}
),

gapped as (
    select
        activity.*,
        case
            when
                {{ seconds_between('lag(activity.occurred_at) over day_so_far', 'activity.occurred_at') }}
                <= terms.gap_seconds
                then 0
            else 1
        end as starts_part
    from activity
    cross join terms
    window day_so_far as (partition by activity.user_id, activity.activity_on order by activity.occurred_at)
),

numbered as (
    select
        *,
        sum(starts_part) over (
            partition by user_id, activity_on order by occurred_at
            rows between unbounded preceding and current row
        ) as part_number
    from gapped
),

parts as (
    select
        user_id,
        activity_on,
        min(occurred_at) as started_at,
        max(occurred_at) as ended_at,
        count(*) as events,
        sum(clicks) as clicks
    from numbered
    group by user_id, activity_on, part_number
),

beside as (
    select
        *,
        lag(activity_on) over person_so_far as before_on,
        lag(started_at) over person_so_far as before_started_at,
        lag(ended_at) over person_so_far as before_ended_at
    from parts
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
)

select
    followed.user_id,
    followed.activity_on as started_on,
    followed.started_at,
    case when followed.goes_on then followed.next_ended_at else followed.ended_at end as ended_at,
    cast(
        {{ seconds_between(
            'followed.started_at', 'case when followed.goes_on then followed.next_ended_at else followed.ended_at end'
        ) }} as double
    ) as length_seconds,
    cast(followed.events + case when followed.goes_on then followed.next_events else 0 end as bigint) as events,
    cast(followed.clicks + case when followed.goes_on then followed.next_clicks else 0 end as bigint) as clicks,
    terms.built_through,
    terms.received_events
from followed
cross join terms
where
    not followed.is_continuation
    {% if is_incremental() %}
        and followed.activity_on in ({{ made_anew | join(', ') }})
    {% endif %}
