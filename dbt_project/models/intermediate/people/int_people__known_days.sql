-- One row per person and UTC day of which anything but test traffic is known. Everything about activity is read from here.
-- A build makes anew exactly the days that newly received events touch, late ones included, and reads no event received before them.

{% set touched = touched_days(this) %}

{{ config(
    materialized='incremental',
    on_schema_change='fail',
    pre_hook="{{ without_days(this, 'activity_on', touched_days(this)) }}",
    **replaced_by('activity_on'),
) }}

with

events as (
    select
        person_id,
        cast(occurred_at as date) as activity_on,
        occurred_at,
        case when is_activity then occurred_at end as active_at,
        case when is_activity then event_name end as activity,
        case when is_activity and event_name in ('{{ click_events() | join("', '") }}') and creative_id is not null then 1 end as click,
        case when is_activity and event_name = 'Order Completed' then value end as order_value,
        case when is_activity and event_name = 'Order Completed' and currency is not null then {{ key_of(['currency']) }} end as currency_key
    from {{ ref('stg_events__events') }}
    where
        person_id is not null
        and coalesce(bot_reason, 'none') <> 'test traffic'
        {{ and_is_touched(touched) }}
),

learned as (
    select
        max(built_through) as built_through,
        max(received_events) as received_events
    from {{ ref('stg_events__keys') }}
),

counted as (
    select
        person_id,
        activity_on,
        count(active_at) as events,
        count(case when activity = 'Order Completed' then 1 end) as orders,
        count(case when activity = 'Invite Sent' then 1 end) as invites,
        count(click) as clicks,
        sum(order_value) as order_value,
        min(currency_key) as least_currency,
        max(currency_key) as greatest_currency,
        min(active_at) as first_event_at,
        max(active_at) as last_event_at,
        min(occurred_at) as first_seen_at
    from events
    group by person_id, activity_on
)

select
    counted.person_id as user_id,
    counted.activity_on,
    counted.events,
    counted.orders,
    counted.invites,
    counted.clicks,
    case
        when coalesce(counted.least_currency = counted.greatest_currency, true) then cast(coalesce(counted.order_value, 0) as decimal(38, 4))
    end as revenue,
    counted.first_event_at,
    counted.last_event_at,
    counted.first_seen_at,
    learned.built_through,
    learned.received_events
from counted
cross join learned
