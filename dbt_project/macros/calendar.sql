{# Calendar arithmetic in UTC; each has a default (DuckDB) and, where it differs, another engine's form. #}

{# Monday of the ISO week of a date or timestamp, as a date. #}
{% macro week_of(moment) %}cast(date_trunc('week', {{ moment }}) as date){% endmacro %}

{# The date some whole days after a date. #}
{% macro days_after(day, days) %}{{ adapter.dispatch('days_after')(day, days) }}{% endmacro %}
{% macro default__days_after(day, days) %}({{ day }} + cast({{ days }} as integer)){% endmacro %}
{% macro spark__days_after(day, days) %}date_add({{ day }}, cast({{ days }} as int)){% endmacro %}

{# Whole days from one date to another; negative when the second is earlier. #}
{% macro days_between(earlier, later) %}{{ adapter.dispatch('days_between')(earlier, later) }}{% endmacro %}
{% macro default__days_between(earlier, later) %}datediff('day', {{ earlier }}, {{ later }}){% endmacro %}
{% macro spark__days_between(earlier, later) %}datediff({{ later }}, {{ earlier }}){% endmacro %}

{# The instant some days of 24 hours after a timestamp. #}
{% macro time_after_days(moment, days) %}{{ adapter.dispatch('time_after_days')(moment, days) }}{% endmacro %}
{% macro default__time_after_days(moment, days) %}({{ moment }} + to_days(cast({{ days }} as integer))){% endmacro %}
{% macro spark__time_after_days(moment, days) %}({{ moment }} + make_dt_interval(cast({{ days }} as int))){% endmacro %}

{# The instant some seconds after a timestamp. #}
{% macro time_after_seconds(moment, seconds) %}{{ adapter.dispatch('time_after_seconds')(moment, seconds) }}{% endmacro %}
{% macro default__time_after_seconds(moment, seconds) %}({{ moment }} + to_seconds({{ seconds }})){% endmacro %}
{% macro spark__time_after_seconds(moment, seconds) %}({{ moment }} + make_dt_interval(0, 0, 0, cast({{ seconds }} as decimal(18, 6)))){% endmacro %}

{# Whole numbers from 0 to a limit, one row each; no row where the limit is negative or null (Spark alone would count down). #}
{% macro numbers_to(limit) %}{{ adapter.dispatch('numbers_to')(limit) }}{% endmacro %}
{% macro default__numbers_to(limit) %}unnest(generate_series(0, cast({{ limit }} as bigint))){% endmacro %}
{% macro spark__numbers_to(limit) -%}
    explode(case when {{ limit }} >= 0 then sequence(cast(0 as bigint), cast({{ limit }} as bigint)) else array() end)
{%- endmacro %}

{# Texts of a group joined without a separator, in an order. #}
{% macro joined_text(text, order_by) %}{{ adapter.dispatch('joined_text')(text, order_by) }}{% endmacro %}
{% macro default__joined_text(text, order_by) %}string_agg({{ text }}, '' order by {{ order_by }}){% endmacro %}
{% macro spark__joined_text(text, order_by) %}listagg({{ text }}, '') within group (order by {{ order_by }}){% endmacro %}

{# Number of the bracket that an age in days lies in: day 0 is a bracket of its own, 0; then come equal spans from 1. Null for no age. #}
{% macro bracket_of(age, bracket_days) -%}
    case when {{ age }} < 0 then -1 when {{ age }} = 0 then 0 else floor(({{ age }} - 1) / {{ bracket_days }}) + 1 end
{%- endmacro %}
