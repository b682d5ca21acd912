{#
    How a table is made on DuckDB: in one statement, in the place of the one before. dbt-duckdb writes it beside, renames both and drops the
    old one, and asks its contract of the query before that is run: it is planned twice then, and for a mart that reads states planning is
    much of the cost. Here the contract is asked of the table that was made, by dbt's own comparison, before it is committed.
#}
{% materialization table, adapter='duckdb' %}
    {%- set before, made = load_cached_relation(this), this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% if before is not none and not before.is_table %}{% do adapter.drop_relation(before) %}{% endif %}
    {% call statement('main') -%}
        create or replace table {{ made }} as (
            {{ compiled_code }}
        )
    {%- endcall %}
    {% if config.get('contract').enforced %}{{ get_assert_columns_equivalent('select * from ' ~ made) }}{% endif %}
    {% do create_indexes(made) %}
    {% do persist_docs(made, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [made]}) }}
{% endmaterialization %}
