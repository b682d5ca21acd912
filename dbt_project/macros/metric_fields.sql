{# Columns of a metric, from its definition in JSON. #}
{% macro metric_fields(metric) %}
    {{ json_text(metric, '$.name') }} as metric,
    {{ json_text(metric, '$.event') }} as event_name,
    cast(coalesce({{ json_text(metric, '$.after_days') }}, '0') as integer) as after_days,
    cast({{ json_text(metric, '$.within_days') }} as integer) as within_days,
    cast({{ json_text(metric, '$.at_least') }} as double) as at_least,
    {{ json_text(metric, '$.value') }} as value_kind,
    cast({{ json_text(metric, '$.cap') }} as double) as cap,
    {{ json_text(metric, '$.role') }} as role,
    {{ json_text(metric, '$.harm') }} as harm_direction,
    cast({{ json_text(metric, '$.margin') }} as double) as harm_margin
{% endmacro %}
