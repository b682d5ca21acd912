-- One row per event that was received more than once, that is per such (source, event_id): the copy that counts, and how many others came.
-- Copies are looked for only at the instants at which stg_events__keys saw their digest; equal digests of different ids are told apart here.

{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['source', 'event_id'],
    on_schema_change='fail',
) }}

{% set is_new = not_taken_in(this) %}

with

keys as (
    select * from {{ ref('stg_events__keys') }} where first_ingested_at is not null
),

learned as (
    select * from {{ ref('stg_events__learned') }}
),

-- Every copy but the first was suspected when it came; the first is known by its instant.
suspects as (
    select
        event_key,
        ingested_at
    from keys
    where event_key in (select fresh.event_key from keys as fresh where {{ is_new }})
    union
    select
        event_key,
        first_ingested_at as ingested_at
    from keys
    where {{ is_new }}
),

copies as (
    select received.*
    from {{ ref('stg_events__received') }} as received
    inner join suspects
        on {{ key_of(['received.source', 'received.event_id']) }} = suspects.event_key and received.ingested_at = suspects.ingested_at
    {% if is_incremental() %} where {{ any_of('received.ingested_at', suspected_instants(this)) }} {% endif %}
),

arrivals as (
    select
        *,
        count(*) over (partition by source, event_id) - 1 as duplicates,
        row_number() over (
            partition by source, event_id
            order by
                ingested_at, received_at, import_id, sent_at, original_at, occurred_at, type, event_name, user_id, anonymous_id,
                creative_id, value, cast(properties as string), cast(context as string)
        ) as arrival
    from copies
)

select
    {% for column in raw_event_columns() %}
        arrivals.{{ column }},
    {% endfor %}
    arrivals.duplicates,
    learned.built_through,
    learned.received_events
from arrivals
cross join learned
where arrivals.arrival = 1 and arrivals.duplicates > 0
