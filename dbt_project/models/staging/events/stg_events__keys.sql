-- One row per received event: the 64-bit digest of its (source, event_id), and since when that digest was known. Only new digests are
-- compared with old ones, eight bytes each; the events themselves are not read again. What a digest suspects, stg_events__repeats proves.

{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ without_rows(this, not_taken_in(this, known='max(ingested_at), count(*)')) }}",
) }}

{% set is_new = not_taken_in(this, known='max(ingested_at), count(*)') %}

with

received as (
    select
        {{ key_of(['source', 'event_id']) }} as event_key,
        ingested_at
    from {{ ref('stg_events__received') }}
    where {{ is_new }}
),

repeated as (
    select
        event_key,
        min(ingested_at) as first_ingested_at
    from received
    where event_key in ({{ keys_met_again('event_key', 'received') }})
    group by event_key
),

{% if is_incremental() %}
    before as (
        select
            event_key,
            min(ingested_at) as first_ingested_at
        from {{ this }}
        where event_key in (select event_key from received) and not ({{ is_new }})
        group by event_key
    ),

    suspected as (
        select
            event_key,
            min(first_ingested_at) as first_ingested_at
        from (select * from repeated union all select * from before) as known
        group by event_key
    )
{% else %}
    suspected as (
        select * from repeated
    )
{% endif %}

select
    received.event_key,
    received.ingested_at,
    suspected.first_ingested_at
from received
left join suspected on received.event_key = suspected.event_key
