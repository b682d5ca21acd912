-- One row per message known to be delivered: when, and since when the warehouse knows. Where an instant is taken in again, another copy of a
-- delivery may count than before, so that what is told of its message is read anew.

{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='send_id', on_schema_change='fail') }}

{% set is_new = not_taken_in(this) %}
{% set is_again = ' >= ' in is_new %}

with

deliveries as (
    select
        send_id,
        happened_at,
        ingested_at
    from {{ ref('stg_events__timed') }}
    where event_name = 'Email Delivered' and send_id is not null
),

learned as (
    select * from {{ ref('stg_events__learned') }}
),

arrived as (
    select
        send_id,
        min(happened_at) as delivered_at,
        max(ingested_at) as delivery_ingested_at
    from deliveries
    where {{ 'send_id in (select deliveries.send_id from deliveries where ' ~ is_new ~ ')' if is_again else is_new }}
    group by send_id
    {% if is_incremental() and not is_again %}
        union all
        select
            send_id,
            delivered_at,
            delivery_ingested_at
        from {{ this }}
        where send_id in (select send_id from deliveries where {{ is_new }})
    {% endif %}
)

select
    arrived.send_id,
    min(arrived.delivered_at) as delivered_at,
    max(arrived.delivery_ingested_at) as delivery_ingested_at,
    max(learned.built_through) as built_through,
    max(learned.received_events) as received_events
from arrived
cross join learned
group by arrived.send_id
