-- One row per received event, copies included, wherever it came in: files and streams (raw.events), files that stay where they lie
-- (raw.events_in_place), the receiver (raw.inbox) and event tables that are declared as adapters. A view; filters on ingested_at and
-- received_at reach the tables. Where the receiver has brought nothing, its parsers are left out of every reading.

{{ config(materialized='view', meta={'view_written': 'each_build'}) }}

select
    {% for column in raw_event_columns() %}
        {{ column }}{{ ',' if not loop.last }}
    {% endfor %}
from {{ source('raw', 'events') }}
{% if target.type == 'duckdb' %}
    union all
    select
        {% for column in raw_event_columns() %}
            {{ column }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ source('raw', 'events_in_place') }}
{% endif %}
{% if holds_rows(source('raw', 'inbox'), ref('stg_intake__events')) %}
    union all
    select
        {% for column in raw_event_columns() %}
            {{ column }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref('stg_intake__events') }}
{% endif %}
{% if adapters_of() %}
    union all
    select
        {% for column in raw_event_columns() %}
            {{ column }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref('stg_events__adapted') }}
{% endif %}
