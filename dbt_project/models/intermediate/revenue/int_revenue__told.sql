-- One row per completed order and refund of a person, as it was told. New ones are added, as in int_people__known_days.

{% set owed = owed_events(this, ref('int_people__known_days')) %}

{{ config(
    materialized='incremental',
    on_schema_change='fail',
    pre_hook="{{ without_days(this, 'told_on', days_made_anew(this, ref('int_people__known_days'))) }}",
    **replaced_by('told_on'),
) }}

with

learned as (
    select * from {{ ref('stg_events__learned') }}
)

select
    events.source,
    events.event_id,
    events.person_id as user_id,
    events.user_id as told_by,
    events.event_name = 'Order Refunded' as is_refund,
    coalesce(nullif(upper(trim(events.currency)), ''), 'XXX') as currency,
    case when events.event_name = 'Order Refunded' then -abs(events.value) else events.value end as value,
    cast(events.occurred_at as date) as told_on,
    events.occurred_at,
    events.ingested_at,
    events.settled_at,
    learned.built_through,
    learned.received_events
from {{ ref('stg_events__events') }} as events
cross join learned
where
    events.type = 'track'
    and events.event_name in ('Order Completed', 'Order Refunded')
    and events.is_human
    and events.is_known_version
    and events.person_id is not null
    {{ and_is_owed(owed) }}
