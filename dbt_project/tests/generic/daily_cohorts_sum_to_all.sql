{# Fails where all cohorts together are not the sum of the weekly ones: every person is in exactly one. #}
{% test daily_cohorts_sum_to_all(model, counts) %}
select day_number
from {{ model }}
group by day_number
having
    {% for count in counts %}
        coalesce(sum(case when cohort = 'all' then {{ count }} end), 0)
        <> coalesce(sum(case when cohort <> 'all' then {{ count }} end), 0)
        {{ 'or' if not loop.last }}
    {% endfor %}
{% endtest %}
