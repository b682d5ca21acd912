{# Whether a table holds anything at all when the project is built; a table that does not exist yet may hold anything. The second argument
   only names what the answer decides about, for the graph. #}
{% macro holds_rows(table, decides) %}
    {%- if not execute or load_relation(table) is none -%}{{ return(true) }}{%- endif -%}
    {{ return(run_query('select 1 from ' ~ table ~ ' limit 1').rows | length > 0) }}
{% endmacro %}
