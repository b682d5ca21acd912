-- One row per event that says who somebody is: an identify, with the traits it told (null where it told none or said what cannot be read),
-- or an alias, with the id that is the person's too. Kept, so that a build looks for them among new events only. One row more has no
-- event_id: it says through where they were looked for, so that the next build starts there also where none came.

{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ without_rows(this, 'event_id is null or ' ~ not_taken_in(this)) }}",
) }}

with

identities as (
    select * from {{ ref('stg_events__timed') }}
    where
        type in ('identify', 'alias')
        and user_id is not null
        and not {{ is_test_traffic('context') }}
        and {{ not_taken_in(this) }}
),

learned as (
    select * from {{ ref('stg_events__learned') }}
),

told as (
    select
        source,
        event_id,
        type,
        user_id,
        case when type = 'alias' then {{ json_text('properties', '$.previousId') }} end as previous_id,
        {% for trait in ['segment', 'timezone', 'country', 'consent'] %}
            nullif(
                coalesce(
                    {{ json_text('properties', '$.' ~ trait) }},
                    {{ json_text('properties', '$.traits.' ~ trait) }},
                    {{ json_text('context', '$.traits.' ~ trait) }}
                ), ''
            ) as {{ trait }},
        {% endfor %}
        happened_at as occurred_at,
        ingested_at
    from identities
)

select
    told.source,
    told.event_id,
    told.type,
    told.user_id,
    told.previous_id,
    told.segment,
    told.timezone,
    told.country,
    case
        when lower(told.consent) in ('true', 'yes', '1') then true
        when lower(told.consent) in ('false', 'no', '0') then false
    end as has_consent,
    told.occurred_at,
    told.ingested_at,
    learned.built_through,
    learned.received_events
from told
cross join learned
where told.ingested_at <= learned.built_through
union all
select
    null as source,
    null as event_id,
    null as type,
    null as user_id,
    null as previous_id,
    null as segment,
    null as timezone,
    null as country,
    null as has_consent,
    null as occurred_at,
    null as ingested_at,
    built_through,
    received_events
from learned
