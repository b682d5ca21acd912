-- One row per user id that was merged into another: whose it is now. Merges of merges are followed sixteen times; a circle is no merge.

{{ config(materialized='table') }}

with

aliases as (
    select
        *,
        row_number() over (partition by previous_id order by occurred_at desc, ingested_at desc, source, event_id) as from_the_last,
        max(ingested_at) over (partition by previous_id) as told_at
    from {{ ref('stg_events__identities') }}
    where type = 'alias' and previous_id <> user_id
),

told as (
    select
        previous_id as user_id,
        user_id as person_id,
        told_at
    from aliases
    where from_the_last = 1
),

-- Each hop doubles how far a merge is followed.
{% for hop in range(4) %}
    {%- set before = 'told' if loop.first else 'hop_' ~ (hop - 1) %}
    hop_{{ hop }} as (
        select
            nearer.user_id,
            coalesce(further.person_id, nearer.person_id) as person_id,
            nearer.told_at
        from {{ before }} as nearer
        left join {{ before }} as further on nearer.person_id = further.user_id
    ){{ ',' if not loop.last }}
{% endfor %}

select
    user_id,
    person_id,
    told_at
from hop_3
where person_id not in (select told.user_id from told)
