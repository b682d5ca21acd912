-- One row per person and UTC day on which the person did something.
-- A build recomputes exactly the days that newly ingested events touch, late ones included. A click's label may change when its delivery
-- arrives, so "newly" means settled_at. The hook empties those days first: a day may lose its last row.

{{ config(
    materialized='incremental',
    on_schema_change='fail',
    pre_hook="{% if is_incremental() %}{{ emptied_days(this, 'activity_on', touched_days(this)) }}{% endif %}",
    **replaced_by('activity_on'),
) }}

with

events as (
    select * from {{ ref('stg_events__events') }}
),

learned as (
    select max(settled_at) as built_through from events
),

activity as (
    select
        *,
        cast(occurred_at as date) as activity_on
    from events
    where
        is_activity
        {% if is_incremental() %}
            and cast(occurred_at as date) in ({{ touched_days(this) }})
        {% endif %}
),

counted as (
    select
        user_id,
        activity_on,
        count(*) as events,
        count(case when event_name = 'Order Completed' then 1 end) as orders,
        count(case when event_name = 'Invite Sent' then 1 end) as invites,
        case
            when count(distinct case when event_name = 'Order Completed' then currency end) <= 1
                then cast(coalesce(sum(case when event_name = 'Order Completed' then value end), 0) as decimal(38, 4))
        end as revenue,
        min(occurred_at) as first_event_at,
        max(occurred_at) as last_event_at
    from activity
    group by user_id, activity_on
)

select
    counted.*,
    learned.built_through
from counted
cross join learned
