{# Fails for every group in which a column has more than one value. #}
{% test one_value_per(model, column, by) %}
select {{ by }}
from {{ model }}
group by {{ by }}
having count(distinct {{ column }}) > 1
{% endtest %}
