{# Fails where the parts of a group do not sum to the group's own number n. #}
{% test sums_to_n(model, part, by) %}
select {{ by | join(', ') }}
from {{ model }}
group by {{ by | join(', ') }}
having abs(sum({{ part }}) - max(n)) > 1e-6 * greatest(max(n), 1) or min(n) <> max(n)
{% endtest %}
