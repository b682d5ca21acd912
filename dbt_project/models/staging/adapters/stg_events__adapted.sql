-- One row per row of every declared event table, in the columns of raw.events: what staging unites with raw.events and deduplicates.
-- An event that no time, no id or nobody belongs to is not here; stg_adapters__account counts it.

{% set used = adapter_models() %}
{{ config(enabled=used | length > 0) }}

with

united as (
    {% for model in used %}
        select * from {{ ref(model) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    event_id,
    source,
    type,
    event_name,
    user_id,
    anonymous_id,
    occurred_at,
    original_at,
    sent_at,
    coalesce(received_at, ingested_at) as received_at,
    ingested_at,
    {{ json_at('properties', ['experiment_id']) }} as experiment_id,
    {{ json_at('properties', ['creative_id']) }} as creative_id,
    {{ json_at('properties', ['send_id']) }} as send_id,
    {{ channel_said_by('event_name', 'channel') }} as channel,
    is_machine,
    value,
    currency,
    {{ as_json('properties') }} as properties,
    {{ as_json('context') }} as context,
    1 as schema_version,
    concat('adapter ', source) as import_id
from united
where {{ left_out_for() }} is null
