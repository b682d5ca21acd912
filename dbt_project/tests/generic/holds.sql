{# Fails for every row where an identity or a bound does not hold; a null answer counts as a failure. #}
{% test holds(model, expression) %}
select *
from {{ model }}
where not coalesce({{ expression }}, false)
{% endtest %}
