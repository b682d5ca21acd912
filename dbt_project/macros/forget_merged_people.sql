{# Takes the rows of ids that were merged into another person out of a model that is inserted by person. #}
{% macro forget_merged_people() %}
    {%- set aliases = ref('stg_events__aliases') -%}
    {{ return(without_rows(this, 'user_id in (select user_id from ' ~ aliases ~ ')')) }}
{% endmacro %}
