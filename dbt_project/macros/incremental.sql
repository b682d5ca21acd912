{#
    How a model that is made anew day by day replaces those days: the one place where an engine's strategy is chosen. Used as
    config(materialized='incremental', pre_hook=..., **replaced_by('activity_on')).

    DuckDB deletes the days and inserts them; Spark overwrites their partitions (Parquet knows no delete and no merge).
#}
{% macro replaced_by(day) %}{{ return(adapter.dispatch('replaced_by')(day)) }}{% endmacro %}
{% macro default__replaced_by(day) %}{{ return({'incremental_strategy': 'delete+insert', 'unique_key': day}) }}{% endmacro %}
{% macro spark__replaced_by(day) %}{{ return({'incremental_strategy': 'insert_overwrite', 'partition_by': [day]}) }}{% endmacro %}

{# Hook that empties the days a query names before they are made anew: a day may lose its last row, and then nothing replaces it. #}
{% macro emptied_days(table, day, query) %}{{ return(adapter.dispatch('emptied_days')(table, day, query)) }}{% endmacro %}
{% macro default__emptied_days(table, day, query) %}{{ return('delete from ' ~ table ~ ' where ' ~ day ~ ' in (' ~ query ~ ')') }}{% endmacro %}
{% macro spark__emptied_days(table, day, query) %}
    {%- set days = run_query('select distinct cast(day as string) from (' ~ query ~ ') as touched(day) where day is not null') if execute else [] -%}
    {%- set partitions = [] -%}
    {%- for row in days -%}{%- do partitions.append("partition (" ~ day ~ " = date '" ~ row[0] ~ "')") -%}{%- endfor -%}
    {{ return('alter table ' ~ table ~ ' drop if exists ' ~ partitions | join(', ') if partitions else '') }}
{% endmacro %}
