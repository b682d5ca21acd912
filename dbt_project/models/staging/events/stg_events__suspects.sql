-- One row per digest that several received events share, instant at which it came and, in place, row. Only new digests are compared with
-- old ones, eight bytes each. What a digest suspects, stg_events__repeats proves. One row more has no digest: it says what was compared,
-- so that the next build starts there also where no copy came.

{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='event_key',
    on_schema_change='fail',
    pre_hook="{{ without_rows(this, 'event_key is null') }}",
) }}

{% set is_new = not_taken_in(this) %}

with

keys as (
    select * from {{ ref('stg_events__keys') }}
),

learned as (
    select * from {{ ref('stg_events__learned') }}
),

{% if is_incremental() %}
    arrivals as (
        select * from keys
        where event_key in (select event_key from {{ ref('stg_events__keys') }} where {{ is_new }})
    ),

    met_again as (
        select event_key from arrivals
        group by event_key
        having count(*) > 1
    )
{% else %}
    arrivals as (
        select * from keys
    ),

    met_again as (
        {{ keys_met_again('event_key', ref('stg_events__keys')) }}
    )
{% endif %}

select distinct
    arrivals.event_key,
    arrivals.ingested_at,
    arrivals.row_in_place,
    learned.built_through,
    learned.received_events
from arrivals
cross join learned
where arrivals.event_key in (select met_again.event_key from met_again)
union all
select
    null as event_key,
    null as ingested_at,
    null as row_in_place,
    built_through,
    received_events
from learned
