-- One row per received event, copies included, wherever it came in: files and streams (raw.events), files that stay where they lie
-- (raw.events_in_place), the receiver (raw.inbox) and event tables that are declared as adapters. A view; filters on ingested_at and
-- received_at reach the tables. Where the receiver has brought nothing, its parsers are left out of every reading. What lies in place is
-- known by its row's number, so that whoever needs no id reads none: ids are the greater part of such a file.

{{ config(materialized='view', meta={'view_written': 'each_build'}) }}

{% set stored = [source('raw', 'events')] %}
{% if holds_rows(source('raw', 'inbox'), ref('stg_intake__events')) %}
    {% do stored.append(ref('stg_intake__events')) %}
{% endif %}
{% if adapters_of() %}
    {% do stored.append(ref('stg_events__adapted')) %}
{% endif %}

{% for relation in stored %}
    select
        {% for column in raw_event_columns() %}
            {{ column }},
        {% endfor %}
        {{ key_of(['source', 'event_id']) }} as row_key,
        false as is_in_place
    from {{ relation }}
    {{ 'union all' if not loop.last }}
{% endfor %}
{% if target.type == 'duckdb' %}
    union all
    select
        {% for column in raw_event_columns() %}
            {{ column }},
        {% endfor %}
        row_key,
        true as is_in_place
    from {{ source('raw', 'events_in_place') }}
{% endif %}
