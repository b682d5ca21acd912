{# Events that a program's activation takes as its steps, as text literals; none before the table of them is there. #}
{% macro named_steps() %}
    {%- set steps, names = ref('int_people__activation_steps'), [] -%}
    {%- if execute and load_relation(steps) is not none -%}
        {%- for row in run_query('select distinct event_name from ' ~ steps ~ ' order by event_name').rows -%}
            {%- do names.append(text_or_null(row[0])) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(names) }}
{% endmacro %}

{# Steps of which a model of moments holds no event, as text literals: named for the first time, or never taken. None in a full build. #}
{% macro unread_steps(built) %}
    {%- set steps, names = named_steps(), [] -%}
    {%- if execute and is_incremental() -%}
        {%- for name in steps -%}
            {%- if not run_query('select 1 from ' ~ built ~ ' where event_name = ' ~ name ~ ' limit 1').rows -%}
                {%- do names.append(name) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(names) }}
{% endmacro %}
