{# Whether a text contains a match of a regular expression that both engines read alike; null for a null text. #}
{% macro text_matches(text, pattern) %}{{ adapter.dispatch('text_matches')(text, pattern) }}{% endmacro %}
{% macro default__text_matches(text, pattern) %}regexp_matches({{ text }}, '{{ pattern }}'){% endmacro %}
{% macro spark__text_matches(text, pattern) %}regexp_like({{ text }}, r'{{ pattern }}'){% endmacro %}
