-- One row per source of events and instant at which the warehouse learned of some: how many of stg_events__received they are. Counting
-- them here costs no look at the events of files in place, whose numbers were taken when they were checked.

{{ config(materialized='view', meta={'view_written': 'each_build'}) }}

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
