-- One row per received event: the 64-bit digest of its (source, event_id). By digests copies are found (stg_events__suspects) without
-- reading events again. Rows that are read in place are found again by their number.

{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ without_rows(this, not_taken_in(this, known='max(ingested_at), count(*)')) }}",
) }}

select
    {{ key_of(['source', 'event_id']) }} as event_key,
    ingested_at,
    case when is_in_place then row_key end as row_in_place
from {{ ref('stg_events__received') }}
where {{ not_taken_in(this, known='max(ingested_at), count(*)') }}
