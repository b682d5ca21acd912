-- One row per click of a scanner that follows many links of a message at once: bot_links_at_once different ones within bot_click_seconds.
-- New clicks are looked at together with those of their messages that were received up to a day before the earliest of them. One row more has
-- no key: it says what was looked at, so that the next build starts there also where nobody scanned.

{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='row_key',
    on_schema_change='fail',
    pre_hook="{{ without_rows(this, 'row_key is null') }}",
) }}

{% set is_new = not_taken_in(this) %}
{% set since = clicks_received_since(is_new) %}

with

clicks as (
    select
        row_key,
        send_id,
        happened_at,
        ingested_at,
        coalesce(
            {{ json_text('properties', '$.link_url') }}, {{ json_text('properties', '$.link_id') }}, {{ json_text('properties', '$.url') }}
        ) as link
    from {{ ref('stg_events__timed') }}
    where event_name = 'Email Link Clicked' and send_id is not null {{ 'and ' ~ since if since }}
),

looked_at as (
    select * from clicks
    where send_id in (select newer.send_id from clicks as newer where {{ is_new }})
),

learned as (
    select * from {{ ref('stg_events__learned') }}
),

bursts as (
    select
        first_clicks.send_id,
        first_clicks.happened_at as begins_at,
        max(others.ingested_at) as told_at
    from looked_at as first_clicks
    inner join looked_at as others
        on
            first_clicks.send_id = others.send_id
            and first_clicks.happened_at <= others.happened_at
            and others.happened_at <= {{ time_after_seconds('first_clicks.happened_at', policy('bot_click_seconds')) }}
    group by first_clicks.send_id, first_clicks.happened_at
    having count(distinct others.link) >= {{ policy('bot_links_at_once') }}
)

select
    looked_at.row_key,
    max(looked_at.happened_at) as happened_at,
    max(looked_at.ingested_at) as ingested_at,
    min(bursts.told_at) as told_at,
    max(learned.built_through) as built_through,
    max(learned.received_events) as received_events
from looked_at
cross join learned
inner join bursts
    on
        looked_at.send_id = bursts.send_id
        and bursts.begins_at <= looked_at.happened_at
        and looked_at.happened_at <= {{ time_after_seconds('bursts.begins_at', policy('bot_click_seconds')) }}
group by looked_at.row_key
union all
select
    null as row_key,
    null as happened_at,
    null as ingested_at,
    null as told_at,
    built_through,
    received_events
from learned
