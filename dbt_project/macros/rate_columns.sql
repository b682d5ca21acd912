{# The share's columns, null while a reason withholds it: rate, and the ends of its Wilson interval. Every growth mart says it so. #}
{% macro rate_columns(successes, n) %}
    case when withheld_reason is null then {{ successes }} / cast({{ n }} as double) end as rate,
    case when withheld_reason is null then {{ wilson_low(successes, n, 'interval_z') }} end as ci_low,
    case when withheld_reason is null then {{ wilson_high(successes, n, 'interval_z') }} end as ci_high,
{%- endmacro %}
