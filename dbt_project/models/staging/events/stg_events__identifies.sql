-- One row per identify event of a known person, with the traits it told: those of a merged id are the person's it became.

with

identifies as (
    select * from {{ ref('stg_events__identities') }}
    where type = 'identify'
),

aliases as (
    select * from {{ ref('stg_events__aliases') }}
),

told as (
    select
        identifies.source,
        identifies.event_id,
        coalesce(aliases.person_id, identifies.user_id) as user_id,
        identifies.segment,
        identifies.timezone,
        identifies.country,
        identifies.has_consent,
        identifies.occurred_at,
        identifies.ingested_at
    from identifies
    left join aliases on identifies.user_id = aliases.user_id
)

select
    *,
    row_number() over (partition by user_id order by occurred_at, ingested_at, source, event_id) as identify_number
from told
