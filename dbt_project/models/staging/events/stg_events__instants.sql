-- One row per instant at which the warehouse learned of events: how many of stg_events__received they are. Counting them
-- here costs no look at the events of files in place, whose numbers were taken when they were checked. A table, since every
-- model of events asks it where it stands. It remembers what it saw: an event table may bring rows of instants before the last one.

{{ config(materialized='table', meta={'rows': 'remembered'}) }}

{% set remembers = remembers_instants(this) %}

with

counted as (
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
){% if remembers %},

held as (
    select * from {{ this }}
),

compared as (
    select
        counted.ingested_at,
        counted.events,
        case when counted.events > coalesce(held.events, 0) then counted.events - coalesce(held.events, 0) else 0 end as added,
        held.received_events
    from counted
    left join held on counted.ingested_at = held.ingested_at
)

select
    ingested_at,
    events,
    case
        when added > 0
            then (select coalesce(max(held.received_events), 0) from held) + cast(sum(added) over () as bigint)
        else received_events
    end as received_events
from compared
{% else %}

select
    ingested_at,
    events,
    cast(sum(events) over (order by ingested_at rows between unbounded preceding and current row) as bigint) as received_events
from counted
{% endif %}
