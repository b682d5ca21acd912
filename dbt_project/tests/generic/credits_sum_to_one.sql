{# Fails for every conversion whose credits do not sum to 1 under each of the rules. #}
{% test credits_sum_to_one(model) %}
select conversion_source, conversion_id
from {{ model }}
group by conversion_source, conversion_id
having
    {% for rule in ['first', 'last', 'linear', 'position', 'time_decay'] %}
        abs(sum(credit_{{ rule }}) - 1) > 1e-9 {{ 'or' if not loop.last }}
    {% endfor %}
{% endtest %}
