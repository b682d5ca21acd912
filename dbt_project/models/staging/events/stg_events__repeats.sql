-- One row per copy of an event that was received more than once, that is of such a (source, event_id): the first of them counts. Copies are
-- looked for only at the instants, and in files by the rows, at which stg_events__suspects has their digests. Equal digests of different
-- ids are told apart here.

{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['source', 'event_id'],
    on_schema_change='fail',
) }}

{% set and_came_at = 'and ' ~ any_of('ingested_at', suspected_instants(this)) if is_incremental() else '' %}

with

arrived as (
    select event_key from {{ ref('stg_events__suspects') }}
    where {{ not_taken_in(this) }}
),

suspects as (
    select
        event_key,
        row_in_place
    from {{ ref('stg_events__suspects') }}
    where event_key in (select arrived.event_key from arrived)
),

learned as (
    select * from {{ ref('stg_events__learned') }}
),

-- Read twice and not shared: a shared reading would hold every event.
copies as (
    select * from {{ ref('stg_events__received') }}
    where
        not is_in_place
        and {{ key_of(['source', 'event_id']) }} in (select suspects.event_key from suspects)
        {{ and_came_at }}
    union all
    select * from {{ ref('stg_events__received') }}
    where
        is_in_place
        and row_key in (select suspects.row_in_place from suspects)
        {{ and_came_at }}
),

arrivals as (
    select
        *,
        count(*) over (partition by source, event_id) - 1 as duplicates,
        row_number() over (
            partition by source, event_id
            order by
                ingested_at, received_at, import_id, sent_at, original_at, occurred_at, type, event_name, user_id, anonymous_id,
                creative_id, value, cast(properties as string), cast(context as string), row_key
        ) as arrival
    from copies
)

select
    {% for column in raw_event_columns() %}
        arrivals.{{ column }},
    {% endfor %}
    arrivals.row_key,
    arrivals.is_in_place,
    arrivals.arrival,
    arrivals.duplicates,
    learned.built_through,
    learned.received_events
from arrivals
cross join learned
where arrivals.duplicates > 0
