-- One row per instant at which the warehouse learned of events: how many of stg_events__received they are. Counting them
-- here costs no look at the events of files in place, whose numbers were taken when they were checked. A table, since every
-- model of events asks it where it stands.

{{ config(materialized='table') }}

select
    ingested_at,
    cast(sum(events) as bigint) as events
from (
    select
        ingested_at,
        count(*) as events
    from {{ source('raw', 'events') }}
    group by ingested_at
    {% if target.type == 'duckdb' %}
        union all
        select
            ingested_at,
            events
        from {{ source('raw', 'event_files') }}
    {% endif %}
    {% if holds_rows(source('raw', 'inbox'), ref('stg_intake__events')) %}
        union all
        select
            ingested_at,
            count(*) as events
        from {{ ref('stg_intake__events') }}
        group by ingested_at
    {% endif %}
    {% if adapters_of() %}
        union all
        select
            ingested_at,
            count(*) as events
        from {{ ref('stg_events__adapted') }}
        group by ingested_at
    {% endif %}
) as told
group by ingested_at
