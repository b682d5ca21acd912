{# Expressions whose spelling differs between engines; each has a default (DuckDB) and, where it differs, another engine's form. #}

{#
    Text is `string` in every model: DuckDB, Spark, Snowflake, BigQuery and Databricks read it alike, `varchar` without a length they do not.
    A number with a decimal point is a double in DuckDB and a decimal in Spark, whose quotients are rounded: divide by 2e0, never by 2.0.
    Order by what may be null with `nulls last`: DuckDB puts nulls last, Spark first.
#}

{# Sum that does not depend on the order of its rows: taken in fixed point (12 decimals), so that the same rows give the same bytes
   on any number of threads, on any engine and after any later append. Its argument must be finite. #}
{% macro exact_sum(expression) %}sum(cast({{ expression }} as decimal(38, 12))){% endmacro %}

{# The same, as a double; for use outside windows. #}
{% macro exact_total(expression) %}cast({{ exact_sum(expression) }} as double){% endmacro %}

{# The same where every row has a value, null where one has none: a sum over some of the rows would pass for the sum over all. #}
{% macro whole_total(expression) %}case when count({{ expression }}) = count(*) then {{ exact_total(expression) }} end{% endmacro %}

{# 64-bit digest of values, for joins; rebuilt with the tables that hold it and never compared across engines. #}
{% macro key_of(columns) %}{{ adapter.dispatch('key_of')(columns) }}{% endmacro %}
{% macro default__key_of(columns) %}hash({{ columns | join(", '|', ") }}){% endmacro %}
{% macro spark__key_of(columns) %}xxhash64({{ columns | join(", '|', ") }}){% endmacro %}

{% macro xor_of(left, right) %}{{ adapter.dispatch('xor_of')(left, right) }}{% endmacro %}
{% macro default__xor_of(left, right) %}xor({{ left }}, {{ right }}){% endmacro %}
{% macro spark__xor_of(left, right) %}({{ left }} ^ {{ right }}){% endmacro %}

{# Query of the keys that more than one row of a relation has. DuckDB sorts faster than it groups what is nearly always different;
   Spark would sort all of it in one place. #}
{% macro keys_met_again(key, relation) %}{{ adapter.dispatch('keys_met_again')(key, relation) }}{% endmacro %}
{% macro default__keys_met_again(key, relation) -%}
    select {{ key }} from (select {{ key }}, {{ key }} = lag({{ key }}) over (order by {{ key }}) as is_met from {{ relation }}) as sorted where is_met
{%- endmacro %}
{% macro spark__keys_met_again(key, relation) -%}
    select {{ key }} from {{ relation }} group by {{ key }} having count(*) > 1
{%- endmacro %}

{# Text at a path of a JSON column; null where the path is absent. #}
{% macro json_text(column, path) %}{{ adapter.dispatch('json_text')(column, path) }}{% endmacro %}
{% macro default__json_text(column, path) %}json_extract_string({{ column }}, '{{ path }}'){% endmacro %}
{% macro spark__json_text(column, path) %}get_json_object({{ column }}, '{{ path }}'){% endmacro %}

{# Hexadecimal sha256 of a text. #}
{% macro sha256_of(expression) %}{{ adapter.dispatch('sha256_of')(expression) }}{% endmacro %}
{% macro default__sha256_of(expression) %}sha256({{ expression }}){% endmacro %}
{% macro spark__sha256_of(expression) %}sha2({{ expression }}, 256){% endmacro %}

{# Texts of a JSON array at a path, as an array; objects in it stay JSON text. Null where the path is absent. #}
{% macro json_list(column, path) %}{{ adapter.dispatch('json_list')(column, path) }}{% endmacro %}
{% macro default__json_list(column, path) %}cast(json_extract({{ column }}, '{{ path }}') as string[]){% endmacro %}
{% macro spark__json_list(column, path) %}from_json(get_json_object({{ column }}, '{{ path }}'), 'array<string>'){% endmacro %}

{# Whether an array holds an item. #}
{% macro list_holds(list, item) %}{{ adapter.dispatch('list_holds')(list, item) }}{% endmacro %}
{% macro default__list_holds(list, item) %}list_contains({{ list }}, {{ item }}){% endmacro %}
{% macro spark__list_holds(list, item) %}array_contains({{ list }}, {{ item }}){% endmacro %}

{# One row per item of an array, in a select list under this name; none for an empty array or a null. #}
{% macro each_item(list, name) %}{{ adapter.dispatch('each_item')(list, name) }}{% endmacro %}
{% macro default__each_item(list, name) %}unnest({{ list }}) as {{ name }}{% endmacro %}
{% macro spark__each_item(list, name) %}explode({{ list }}) as {{ name }}{% endmacro %}

{# The same, with the item's place (from 1) beside it. #}
{% macro each_item_in_order(list, name, place) %}{{ adapter.dispatch('each_item_in_order')(list, name, place) }}{% endmacro %}
{% macro default__each_item_in_order(list, name, place) -%}
    unnest({{ list }}) as {{ name }}, generate_subscripts({{ list }}, 1) as {{ place }}
{%- endmacro %}
{% macro spark__each_item_in_order(list, name, place) -%}
    inline(transform({{ list }}, (item, place) -> named_struct('{{ name }}', item, '{{ place }}', cast(place + 1 as bigint)))) as ({{ name }}, {{ place }})
{%- endmacro %}
