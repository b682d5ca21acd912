{# Expressions whose spelling differs between engines; each has a default (DuckDB) and, where it differs, another engine's form. #}

{# Sum that does not depend on the order of its rows: taken in fixed point (12 decimals), so that the same rows give the same bytes
   on any number of threads, on any engine and after any later append. Its argument must be finite. #}
{% macro exact_sum(expression) %}sum(cast({{ expression }} as decimal(38, 12))){% endmacro %}

{# The same, as a double; for use outside windows. #}
{% macro exact_total(expression) %}cast({{ exact_sum(expression) }} as double){% endmacro %}

{# 64-bit digest of values, for joins; rebuilt with the tables that hold it and never compared across engines. #}
{% macro key_of(columns) %}{{ adapter.dispatch('key_of')(columns) }}{% endmacro %}
{% macro default__key_of(columns) %}hash({{ columns | join(", '|', ") }}){% endmacro %}
{% macro spark__key_of(columns) %}xxhash64({{ columns | join(", '|', ") }}){% endmacro %}

{% macro xor_of(left, right) %}{{ adapter.dispatch('xor_of')(left, right) }}{% endmacro %}
{% macro default__xor_of(left, right) %}xor({{ left }}, {{ right }}){% endmacro %}
{% macro spark__xor_of(left, right) %}({{ left }} ^ {{ right }}){% endmacro %}

{# Text at a path of a JSON column; null where the path is absent. #}
{% macro json_text(column, path) %}{{ adapter.dispatch('json_text')(column, path) }}{% endmacro %}
{% macro default__json_text(column, path) %}json_extract_string({{ column }}, '{{ path }}'){% endmacro %}
{% macro spark__json_text(column, path) %}get_json_object({{ column }}, '{{ path }}'){% endmacro %}

{# Hexadecimal sha256 of a text. #}
{% macro sha256_of(expression) %}{{ adapter.dispatch('sha256_of')(expression) }}{% endmacro %}
{% macro default__sha256_of(expression) %}sha256({{ expression }}){% endmacro %}
{% macro spark__sha256_of(expression) %}sha2({{ expression }}, 256){% endmacro %}
