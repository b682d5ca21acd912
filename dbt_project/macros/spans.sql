{# Spans of time and the days an incremental model must make anew; each has a default (DuckDB) and, where it differs, another engine's form. #}

{# Seconds from one timestamp to another, to the microsecond: a difference of two epochs in seconds would lose the sixth decimal. #}
{% macro seconds_between(earlier, later) %}{{ adapter.dispatch('seconds_between')(earlier, later) }}{% endmacro %}
{% macro default__seconds_between(earlier, later) %}(datediff('microsecond', {{ earlier }}, {{ later }}) / 1e6){% endmacro %}
{% macro spark__seconds_between(earlier, later) %}((unix_micros({{ later }}) - unix_micros({{ earlier }})) / 1e6){% endmacro %}

{# First day of the month of a date or timestamp, as a date. #}
{% macro month_of(moment) %}cast(date_trunc('month', {{ moment }}) as date){% endmacro %}

{# The date some whole months after a date. #}
{% macro months_after(day, months) %}{{ adapter.dispatch('months_after')(day, months) }}{% endmacro %}
{% macro default__months_after(day, months) %}cast({{ day }} + to_months({{ months }}) as date){% endmacro %}
{% macro spark__months_after(day, months) %}add_months({{ day }}, {{ months }}){% endmacro %}

{# Texts so far, joined in the order of a named window that runs from its first row to the current one. #}
{% macro running_text(text, window_name) %}{{ adapter.dispatch('running_text')(text, window_name) }}{% endmacro %}
{% macro default__running_text(text, window_name) %}string_agg({{ text }}, '') over {{ window_name }}{% endmacro %}
{% macro spark__running_text(text, window_name) %}array_join(collect_list({{ text }}) over {{ window_name }}, ''){% endmacro %}

{# Days and those some days around each, as literals in order. #}
{% macro days_around(days, before, after) %}
    {%- if not days -%}
        {{ return([]) }}
    {%- endif -%}
    {%- set query -%}
        select distinct {{ days_after('middle.day', 'offsets.days') }} as day
        from ({% for day in days %}select {{ day }} as day{{ ' union all ' if not loop.last }}{% endfor %}) as middle
        cross join (
            {% for offset in range(-before, after + 1) %}select {{ offset }} as days{{ ' union all ' if not loop.last }}{% endfor %}
        ) as offsets
        order by day
    {%- endset -%}
    {{ return(days_of(query)) }}
{% endmacro %}

{# The ISO weeks (Mondays) of days and the weeks after them, as literals. #}
{% macro weeks_from(days) %}
    {%- set around = days_around(days, 0, 7) -%}
    {%- if not around -%}
        {{ return([]) }}
    {%- endif -%}
    {%- set query -%}
        select distinct {{ week_of('around.day') }} as week
        from ({% for day in around %}select {{ day }} as day{{ ' union all ' if not loop.last }}{% endfor %}) as around
        order by week
    {%- endset -%}
    {{ return(days_of(query)) }}
{% endmacro %}
