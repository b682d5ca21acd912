-- One row per (source, event_id): the one ingested first, its time corrected for the device's clock. A view: nothing is stored twice.
-- kept + duplicates = received.

with

repeats as (
    select * from {{ ref('stg_events__repeats') }}
),

copies_in_place as (
    select row_key from repeats
    where is_in_place
),

kept as (
    select
        {% for column in raw_event_columns() %}
            received.{{ column }},
        {% endfor %}
        received.row_key,
        0 as duplicates
    from {{ ref('stg_events__received') }} as received
    left join repeats on received.source = repeats.source and received.event_id = repeats.event_id
    where not received.is_in_place and repeats.event_id is null
    union all
    select
        {% for column in raw_event_columns() %}
            received.{{ column }},
        {% endfor %}
        received.row_key,
        0 as duplicates
    from {{ ref('stg_events__received') }} as received
    left join copies_in_place on received.row_key = copies_in_place.row_key
    where received.is_in_place and copies_in_place.row_key is null
    union all
    select
        {% for column in raw_event_columns() %}
            {{ column }},
        {% endfor %}
        row_key,
        duplicates
    from repeats
    where arrival = 1
),

said as (
    select
        *,
        coalesce(occurred_at, received_at - (sent_at - original_at), received_at) as said_at
    from kept
),

clocked as (
    select
        *,
        case
            when said_at < timestamp '2000-01-01 00:00:00' then 'before 2000'
            when said_at > {{ time_after_days('received_at', 1) }} then 'more than a day after it was received'
        end as clock_reason
    from said
)

select
    *,
    case when clock_reason is null then said_at else received_at end as happened_at
from clocked
