{#
    How a model that is made anew day by day replaces those days: the one place where an engine's strategy is chosen. Used as
    config(materialized='incremental', pre_hook="{{ without_days(this, 'activity_on', ...) }}", **replaced_by('activity_on')):
    the hook empties the days (a day may lose its last row, and then nothing replaces it), and what comes is appended.

    DuckDB deletes rows; on Spark each day is a partition that is dropped, since Parquet knows no delete and no merge.
#}
{% macro replaced_by(day) %}{{ return(adapter.dispatch('replaced_by')(day)) }}{% endmacro %}
{% macro default__replaced_by(day) %}{{ return({'incremental_strategy': 'append'}) }}{% endmacro %}
{% macro spark__replaced_by(day) %}{{ return({'incremental_strategy': 'append', 'partition_by': [day]}) }}{% endmacro %}

{#
    How a model of days replaces rows that something is added to: by their key where rows can be deleted, by their day where days are
    partitions. The hook that empties the days that are made anew goes with it, as above.
#}
{% macro merged_by(keys, day) %}{{ return(adapter.dispatch('merged_by')(keys, day)) }}{% endmacro %}
{% macro default__merged_by(keys, day) %}{{ return({'incremental_strategy': 'delete+insert', 'unique_key': keys}) }}{% endmacro %}
{% macro spark__merged_by(keys, day) %}{{ return(replaced_by(day)) }}{% endmacro %}

{#
    How a model of people replaces rows of which mostly the same few columns change: those are updated in place, and only rows that differ in
    another are taken out and put in. DuckDB writes the groups of rows anew that lost many of them, all columns wide; what is updated, column
    by column. On Spark rows are replaced by their key.
#}
{% macro refreshed_by(key, columns) %}{{ return(adapter.dispatch('refreshed_by')(key, columns)) }}{% endmacro %}
{% macro default__refreshed_by(key, columns) %}
    {{ return({'incremental_strategy': 'refresh', 'unique_key': key, 'meta': {'refreshed_columns': columns}}) }}
{% endmacro %}
{% macro spark__refreshed_by(key, columns) %}{{ return({'incremental_strategy': 'delete+insert', 'unique_key': key}) }}{% endmacro %}

{# SQL of the strategy `refresh`, which dbt looks for under this name. #}
{% macro get_incremental_refresh_sql(of) %}
    {%- set key, refreshed = of.unique_key, config.get('meta')['refreshed_columns'] -%}
    {%- set columns = of.dest_columns | map(attribute='name') | list -%}
    delete from {{ of.target_relation }} as held using {{ of.temp_relation }} as told
    where held.{{ key }} = told.{{ key }} and (
        {%- for column in columns if column != key and column not in refreshed %}
            {{ 'or ' if not loop.first }}held.{{ column }} is distinct from told.{{ column }}
        {%- endfor %}
    );
    update {{ of.target_relation }} as held
    set {% for column in refreshed %}{{ column }} = told.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
    from {{ of.temp_relation }} as told
    where held.{{ key }} = told.{{ key }};
    insert into {{ of.target_relation }} ({{ columns | join(', ') }})
    select {{ columns | join(', ') }} from {{ of.temp_relation }} as told
    where not exists (select 1 from {{ of.target_relation }} as held where held.{{ key }} = told.{{ key }})
{% endmacro %}

{#
    The end of a model of days: written in the order of a column where it is made whole, so that a later build that needs some days reads
    some row groups. What is added later comes at the end, in the order of time by itself. Partitions need no order.
#}
{% macro laid_out_by(day) %}{% if not is_incremental() %}{{ adapter.dispatch('laid_out_by')(day) }}{% endif %}{% endmacro %}
{% macro default__laid_out_by(day) %}order by {{ day }}{% endmacro %}
{% macro spark__laid_out_by(day) %}{% endmacro %}

{# Hook that empties days, given as literals, of a model that is `replaced_by` its day. Nothing in a full build. #}
{% macro without_days(table, day, days) %}
    {%- if not (execute and is_incremental() and days) -%}{{ return('') }}{%- endif -%}
    {{ return(adapter.dispatch('without_days')(table, day, days)) }}
{% endmacro %}
{% macro default__without_days(table, day, days) %}
    {{ return('delete from ' ~ table ~ ' where ' ~ day ~ ' in (' ~ days | join(', ') ~ ')') }}
{% endmacro %}
{% macro spark__without_days(table, day, days) %}
    {%- set partitions = [] -%}
    {%- for literal in days if literal.startswith('date ') -%}
        {%- do partitions.append('partition (' ~ day ~ ' = ' ~ literal ~ ')') -%}
    {%- endfor -%}
    {{ return('alter table ' ~ table ~ ' drop if exists ' ~ partitions | join(', ') if partitions else '') }}
{% endmacro %}

{#
    Hook that takes the rows of a condition out of a small table, or of one that seldom loses any. Nothing in a full build.
    Spark writes the table anew without them (`macros/spark_rewrites.sql`), if there are any.

    day   the column of a model that is `replaced_by` its day
#}
{% macro without_rows(table, condition, day=none) %}
    {%- if not (execute and is_incremental()) -%}{{ return('') }}{%- endif -%}
    {{ return(adapter.dispatch('without_rows')(table, condition, day)) }}
{% endmacro %}
{% macro default__without_rows(table, condition, day) %}{{ return('delete from ' ~ table ~ ' where ' ~ condition) }}{% endmacro %}
{% macro spark__without_rows(table, condition, day) %}
    {%- if run_query('select 1 from ' ~ table ~ ' where ' ~ condition ~ ' limit 1').rows -%}
        {%- do rewritten(table, 'select * from ' ~ table ~ ' where not coalesce(' ~ condition ~ ', false)', day) -%}
    {%- endif -%}
    {{ return('') }}
{% endmacro %}

{#
    How a deep view is kept that many models read: config(materialized=planned_once()). DuckDB plans it anew in each of them at no cost;
    Spark takes many seconds for it each time, and writes it once a build instead.
#}
{% macro planned_once() %}{{ return(adapter.dispatch('planned_once')()) }}{% endmacro %}
{% macro default__planned_once() %}{{ return('view') }}{% endmacro %}
{% macro spark__planned_once() %}{{ return('table') }}{% endmacro %}

{# Whether a column is one of some literals; false for none of them. #}
{% macro any_of(column, literals) %}{{ column ~ ' in (' ~ literals | join(', ') ~ ')' if literals else 'false' }}{% endmacro %}

{# Whether a column is one of some literals, at least one, in words that are asked early: of a longer list DuckDB makes a join, late in the plan. #}
{% macro is_either(column, literals) -%}
    ({% for literal in literals | unique %}{{ ' or ' if not loop.first }}{{ column }} = {{ literal }}{% endfor %})
{%- endmacro %}
