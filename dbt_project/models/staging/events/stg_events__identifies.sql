-- One row per identify event of a known person: the traits it told, null where it told none or said what cannot be read.

with

identifies as (
    select * from {{ ref('stg_events__events') }}
    where type = 'identify' and person_id is not null and coalesce(bot_reason, 'none') <> 'test traffic'
),

traits as (
    select
        source,
        event_id,
        person_id as user_id,
        occurred_at,
        ingested_at,
        {% for trait in ['segment', 'timezone', 'country', 'consent'] %}
            nullif(
                coalesce(
                    {{ json_text('properties', '$.' ~ trait) }},
                    {{ json_text('properties', '$.traits.' ~ trait) }},
                    {{ json_text('context', '$.traits.' ~ trait) }}
                ), ''
            ) as {{ trait }}{{ ',' if not loop.last }}
        {% endfor %}
    from identifies
)

select
    source,
    event_id,
    user_id,
    segment,
    timezone,
    country,
    case
        when lower(consent) in ('true', 'yes', '1') then true
        when lower(consent) in ('false', 'no', '0') then false
    end as has_consent,
    row_number() over (partition by user_id order by occurred_at, ingested_at, source, event_id) as identify_number,
    occurred_at,
    ingested_at
from traits
