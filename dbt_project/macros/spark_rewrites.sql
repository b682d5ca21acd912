{#
    Parquet knows no delete and no merge: on Spark a table that loses rows is written anew beside itself and swapped. It costs the whole
    table, so what is large is partitioned by day and replaced by partition (`replaced_by`); what is small may be replaced by key.
#}

{% macro rewritten(table, query, day=none) %}
    {%- set draft = table ~ '__rewritten' -%}
    {%- do run_query('drop table if exists ' ~ draft) -%}
    {%- set partitions = ' partitioned by (' ~ day ~ ')' if day else '' -%}
    {%- do run_query('create table ' ~ draft ~ ' using parquet' ~ partitions ~ ' as ' ~ query) -%}
    {%- do run_query('drop table ' ~ table) -%}
    {%- do run_query('alter table ' ~ draft ~ ' rename to ' ~ table) -%}
{% endmacro %}

{# dbt-spark refuses `delete+insert`; the models' own strategy is kept, and the replacement is a rewrite. #}
{% macro dbt_spark_validate_get_incremental_strategy(raw_strategy, file_format) %}
    {%- if raw_strategy not in ['append', 'insert_overwrite', 'delete+insert'] -%}
        {%- do exceptions.raise_compiler_error('On Spark a model is incremental by append, insert_overwrite or delete+insert, not by ' ~ raw_strategy) -%}
    {%- endif -%}
    {{ return(raw_strategy) }}
{% endmacro %}

{% macro dbt_spark_get_incremental_sql(strategy, source, target, existing, unique_key, incremental_predicates) %}
    {%- if strategy == 'append' -%}
        {{ return(get_insert_into_sql(source, target)) }}
    {%- elif strategy == 'insert_overwrite' -%}
        {{ return(get_insert_overwrite_sql(source, target, existing)) }}
    {%- endif -%}
    {%- set keys = [unique_key] if unique_key is string else unique_key -%}
    {%- set columns = adapter.get_columns_in_relation(target) | map(attribute='quoted') | join(', ') -%}
    {%- set arrived = target ~ '__arrived' -%}
    {%- set matches = [] -%}
    {%- for key in keys -%}{%- do matches.append('kept.' ~ key ~ ' = arrived.' ~ key) -%}{%- endfor -%}
    {%- do run_query('drop table if exists ' ~ arrived) -%}
    {%- do run_query('create table ' ~ arrived ~ ' using parquet as select ' ~ columns ~ ' from ' ~ source) -%}
    {%- do rewritten(
        target,
        'select ' ~ columns ~ ' from ' ~ target ~ ' as kept left anti join ' ~ arrived ~ ' as arrived on ' ~ matches | join(' and ')
        ~ ' union all select ' ~ columns ~ ' from ' ~ arrived
    ) -%}
    {{ return('drop table ' ~ arrived) }}
{% endmacro %}
