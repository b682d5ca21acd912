-- One row per person and UTC day of which anything but test traffic is known. Everything about activity is read from here.
-- A build adds newly received events to the days they touch, late ones included, and reads no event received before them.

{% set owed = owed_events(this) %}

{{ config(
    materialized='incremental',
    on_schema_change='fail',
    pre_hook="{{ without_days(this, 'activity_on', days_made_anew(this)) }}",
    **merged_by(['user_id', 'activity_on'], 'activity_on'),
) }}

with

events as (
    select
        person_id,
        cast(occurred_at as date) as activity_on,
        occurred_at,
        case when is_activity then occurred_at end as active_at,
        case
            when
                is_activity
                and creative_id is not null
                and event_name in ({{ click_events() }})
                then 1
        end as click
    from {{ ref('stg_events__events') }}
    where
        person_id is not null
        and coalesce(bot_reason, 'none') <> 'test traffic'
        {{ and_is_owed(owed) }}
),

learned as (
    select * from {{ ref('stg_events__learned') }}
),

counted as (
    select
        person_id as user_id,
        activity_on,
        count(active_at) as events,
        count(click) as clicks,
        min(active_at) as first_event_at,
        max(active_at) as last_event_at,
        min(occurred_at) as first_seen_at
    from events
    group by person_id, activity_on
)

{%- if owed.merged %},

    before as (
        select
            user_id,
            activity_on,
            events,
            clicks,
            first_event_at,
            last_event_at,
            first_seen_at
        from {{ this }}
        where
            (user_id, activity_on) in (select user_id, activity_on from counted)
            {% if owed.made %} and activity_on not in ({{ owed.made | join(', ') }}) {% endif %}
    ),

    known as (
        select
            user_id,
            activity_on,
            cast(sum(events) as bigint) as events,
            cast(sum(clicks) as bigint) as clicks,
            min(first_event_at) as first_event_at,
            max(last_event_at) as last_event_at,
            min(first_seen_at) as first_seen_at
        from (select * from counted union all select * from before) as added
        group by user_id, activity_on
    )
{%- endif %}

select
    days.*,
    learned.built_through,
    learned.received_events
from {{ 'known' if owed.merged else 'counted' }} as days
cross join learned
{{ laid_out_by('activity_on') }}
