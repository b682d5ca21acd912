{# Fails where an adapter does not hold each row of its tables once: a join must neither repeat nor lose one. GA4's young days are not due. #}
{% test unique_as_received(model) %}
{% set kinds = {'segment': ['segment', 'rudderstack']} %}
{% set kind = model.identifier.split('__') | last %}
{% set entries = adapters_of(kinds.get(kind, [kind])) %}
select
    told.source,
    told.events as received,
    coalesce(found.events, 0) as adapted
from (
    {% for entry in entries %}
        select
            '{{ entry.source }}' as source,
            {% if kind == 'ga4' %}
                (
                    select count(*) from {{ entry.relation }} as days
                    where {{ days_after(date_of_digits('days.event_date'), entry.final_after_days or 3) }}
                        <= (select max({{ date_of_digits('event_date') }}) from {{ entry.relation }})
                ) as events
            {% else %}
                {% for relation in relations_of(entry) %}(select count(*) from {{ relation }}){{ ' + ' if not loop.last }}{% endfor %} as events
            {% endif %}
        {{ 'union all' if not loop.last }}
    {% endfor %}
) as told
left join (select source, count(*) as events from {{ model }} group by source) as found on told.source = found.source
where told.events <> coalesce(found.events, 0)
{% endtest %}
