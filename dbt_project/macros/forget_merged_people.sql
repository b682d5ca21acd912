{# Takes out of a model that is inserted by person the rows of ids that are another person's, and of people who had one that is another's now. #}
{% macro forget_merged_people() %}
    {%- set aliases, before = ref('stg_events__aliases'), people_of_before(not_taken_in(this)) -%}
    {{ return(without_rows(this, 'user_id in (select user_id from ' ~ aliases ~ ') or user_id in (' ~ before ~ ')')) }}
{% endmacro %}
