-- One row per event that was received more than once, that is per such (source, event_id): the copy that counts, and how many others came.
-- Copies are looked for only at the instants at which stg_events__keys saw their digest: every copy but the first was suspected when it
-- came, and the first is known by its instant. Equal digests of different ids are told apart here.

{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['source', 'event_id'],
    on_schema_change='fail',
) }}

{% set is_new = not_taken_in(this) %}

with

suspects as (
    select event_key from {{ ref('stg_events__keys') }} where first_ingested_at is not null and {{ is_new }}
),

learned as (
    select * from {{ ref('stg_events__learned') }}
),

copies as (
    select * from {{ ref('stg_events__received') }}
    where
        {{ key_of(['source', 'event_id']) }} in (select event_key from suspects)
        {% if is_incremental() %} and {{ any_of('ingested_at', suspected_instants(this)) }} {% endif %}
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
