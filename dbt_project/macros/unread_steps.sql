{# Steps of which a model of moments holds no event, as text literals: named for the first time, or never taken. None in a full build. #}
{% macro unread_steps(built) %}
    {%- set steps = ref('int_people__activation_steps') -%}
    {%- set names = [] -%}
    {%- if execute and is_incremental() -%}
        {%- set query -%}
            select distinct event_name from {{ steps }} where event_name not in (select event_name from {{ built }})
        {%- endset -%}
        {%- for row in run_query(query).rows -%}
            {%- do names.append("'" ~ (row[0] | replace("'", "''")) ~ "'") -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(names) }}
{% endmacro %}
