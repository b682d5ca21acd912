{# One threshold of the policy seed, as a scalar; null where the seed does not name it. #}
{% macro policy(name) %}(select max(value) from {{ ref('policy') }} where name = '{{ name }}'){% endmacro %}
