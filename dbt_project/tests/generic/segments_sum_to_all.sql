{# Fails where the row of all people is not the sum of its segments' rows: every person is in exactly one segment. #}
{% test segments_sum_to_all(model, by, counts) %}
select
    {{ by | join(', ') }}
from {{ model }}
group by {{ by | join(', ') }}
having
    {% for count in counts %}
        coalesce(sum(case when segment = 'all' then {{ count }} end), 0)
        <> coalesce(sum(case when segment <> 'all' then {{ count }} end), 0)
        {{ 'or' if not loop.last }}
    {% endfor %}
{% endtest %}
