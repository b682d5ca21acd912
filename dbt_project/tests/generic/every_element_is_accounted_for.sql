{# Fails where an element that a provider sent is neither an event, nor a copy of one, nor among the unread with its reason. #}
{% test every_element_is_accounted_for(model) %}
with

received as (
    {% for provider in message_providers() %}
        select count(*) as elements from {{ ref('stg_' ~ provider ~ '__events') }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

unread as (
    select count(*) as elements from {{ ref('stg_intake__unread') }} where provider <> 'segment'
),

kept as (
    select coalesce(sum(1 + duplicates), 0) as elements from {{ model }}
)

select kept.elements
from kept
cross join unread
where kept.elements + unread.elements <> (select sum(elements) from received)
{% endtest %}
