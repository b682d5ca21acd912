{# Contracts name the types of DuckDB; the other engine's name of the same type. dbt compares a model with a query of these. #}
{% macro spark__get_empty_schema_sql(columns) -%}
    {%- set names = {'varchar': 'string', 'varchar[]': 'array<string>', 'ubigint': 'bigint', 'json': 'string'} -%}
    select
    {% for column in columns.values() %}
        cast(null as {{ names.get(column['data_type'] | lower, column['data_type']) }}) as {{ column['name'] }}{{ ',' if not loop.last }}
    {% endfor %}
{%- endmacro %}
