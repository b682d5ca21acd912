-- One row, always: through which instant events are known to this build, and how many were received. What a model of events writes into
-- its rows, so that its next build knows where it stands.

{{ config(materialized='table') }}

select
    max(ingested_at) as built_through,
    count(*) as received_events
from {{ ref('stg_events__keys') }}
