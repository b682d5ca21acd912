-- One row per person to whom another's id was once told to belong, and does not any more: the id was told again, or in a circle. What
-- such a person did has to be told apart from what moved away (macros/touched_days.sql). None, mostly.

{{ config(materialized='table') }}

with

words as (
    select
        previous_id as user_id,
        user_id as person_id,
        max(max(ingested_at)) over (partition by previous_id) as told_at
    from {{ ref('stg_events__identities') }}
    where type = 'alias' and previous_id <> user_id
    group by previous_id, user_id
),

aliases as (
    select * from {{ ref('stg_events__aliases') }}
),

-- Everybody that any word ever led to. Each hop doubles how far they are followed.
{% for hop in range(4) %}
    {%- set before = 'words' if loop.first else 'hop_' ~ (hop - 1) %}
    hop_{{ hop }} as (
        select
            user_id,
            person_id,
            max(told_at) as told_at
        from (
            select * from {{ before }}
            union all
            select
                nearer.user_id,
                further.person_id,
                greatest(nearer.told_at, further.told_at) as told_at
            from {{ before }} as nearer
            inner join {{ before }} as further on nearer.person_id = further.user_id
        ) as led
        group by user_id, person_id
    ),

{% endfor %}
led_to as (
    select
        user_id,
        person_id,
        max(told_at) over (partition by user_id) as told_at
    from hop_3
)

select
    led_to.person_id as user_id,
    max(led_to.told_at) as told_at
from led_to
left join aliases on led_to.user_id = aliases.user_id
where
    led_to.person_id <> coalesce(aliases.person_id, led_to.user_id)
    and led_to.person_id not in (select merged.user_id from aliases as merged)
group by led_to.person_id
