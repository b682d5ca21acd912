{# Query of people who signed up and were invited by somebody else: user_id, invited_by, signed_up_at. An inviter is who that id belongs to now. #}
{% macro invited_people() %}
    select
        people.user_id,
        coalesce(aliases.person_id, people.invited_by) as invited_by,
        people.signed_up_at
    from {{ ref('int_people') }} as people
    left join {{ ref('stg_events__aliases') }} as aliases on people.invited_by = aliases.user_id
    where
        people.invited_by is not null
        and people.signed_up_at is not null
        and coalesce(aliases.person_id, people.invited_by) <> people.user_id
{% endmacro %}
