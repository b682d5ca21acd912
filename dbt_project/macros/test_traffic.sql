{# Whether an event says of itself that it is a test: `context.test`, as the tools that send events write it. False for no context. #}
{% macro is_test_traffic(context) -%}
    coalesce({{ context }} is not null and lower({{ json_text(context, '$.test') }}) = 'true', false)
{%- endmacro %}
