{# Rows of a seed as literals: dbt-spark's own binding does not escape an apostrophe. #}
{% macro spark__load_csv_rows(model, agate_table) %}
    {%- set types = model['config'].get('column_types', {}) -%}
    {%- set rows = [] -%}
    {%- for row in agate_table.rows -%}
        {%- set values = [] -%}
        {%- for name in agate_table.column_names -%}
            {%- set type = types.get(name, adapter.convert_type(agate_table, loop.index0)) -%}
            {%- set text = (row[name] | string).replace('\\', '\\\\').replace("'", "\\'") -%}
            {%- do values.append('cast(' ~ ('null' if row[name] is none else "'" ~ text ~ "'") ~ ' as ' ~ type ~ ')') -%}
        {%- endfor -%}
        {%- do rows.append('(' ~ values | join(', ') ~ ')') -%}
    {%- endfor -%}
    {%- set sql = 'insert into ' ~ this.render() ~ ' values ' ~ rows | join(', ') -%}
    {%- do adapter.add_query(sql, bindings=none, abridge_sql_log=True) -%}
    {{ return(sql) }}
{% endmacro %}
