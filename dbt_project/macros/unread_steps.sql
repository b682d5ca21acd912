{# Steps of which a model of moments holds no event, as text literals: named for the first time, or never taken. None in a full build. #}
{% macro unread_steps(built) %}
    {%- set steps = ref('int_people__activation_steps') -%}
    {%- set names = [] -%}
    {%- if execute and is_incremental() -%}
        {%- for row in run_query('select distinct event_name from ' ~ steps).rows -%}
            {%- set name = "'" ~ (row[0] | replace("'", "''")) ~ "'" -%}
            {%- if not run_query('select 1 from ' ~ built ~ ' where event_name = ' ~ name ~ ' limit 1').rows -%}
                {%- do names.append(name) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(names) }}
{% endmacro %}
