{# Lists of instants, in microseconds; each has a default (DuckDB) and, where it differs, another engine's form. Items count from 1. #}

{% macro micros_of(moment) %}{{ adapter.dispatch('micros_of')(moment) }}{% endmacro %}
{% macro default__micros_of(moment) %}datediff('microsecond', timestamp '1970-01-01 00:00:00', {{ moment }}){% endmacro %}
{% macro spark__micros_of(moment) %}unix_micros({{ moment }}){% endmacro %}

{% macro time_of_micros(micros) %}{{ adapter.dispatch('time_of_micros')(micros) }}{% endmacro %}
{% macro default__time_of_micros(micros) %}make_timestamp({{ micros }}){% endmacro %}
{% macro spark__time_of_micros(micros) %}timestamp_micros({{ micros }}){% endmacro %}

{# Numbers of a group that are not null, least first. Null or empty for none. #}
{% macro sorted_list(number) %}{{ adapter.dispatch('sorted_list')(number) }}{% endmacro %}
{% macro default__sorted_list(number) %}list_sort(list({{ number }}) filter (where {{ number }} is not null)){% endmacro %}
{% macro spark__sorted_list(number) %}array_sort(collect_list({{ number }})){% endmacro %}

{% macro item_of(list, place) %}{{ adapter.dispatch('item_of')(list, place) }}{% endmacro %}
{% macro default__item_of(list, place) %}{{ list }}[{{ place }}]{% endmacro %}
{% macro spark__item_of(list, place) %}get({{ list }}, cast({{ place }} - 1 as int)){% endmacro %}

{% macro length_of(list) %}{{ adapter.dispatch('length_of')(list) }}{% endmacro %}
{% macro default__length_of(list) %}len({{ list }}){% endmacro %}
{% macro spark__length_of(list) %}size({{ list }}){% endmacro %}

{# Places of the items of a sorted list that lie more than a gap after the one before, the first one among them. #}
{% macro places_after_gaps(list, gap) %}{{ adapter.dispatch('places_after_gaps')(list, gap) }}{% endmacro %}
{% macro default__places_after_gaps(list, gap) -%}
    list_filter(range(1, len({{ list }}) + 1), lambda place: coalesce({{ list }}[place] - {{ list }}[place - 1] > {{ gap }}, true))
{%- endmacro %}
{% macro spark__places_after_gaps(list, gap) -%}
    filter(sequence(1, size({{ list }})), place -> coalesce(get({{ list }}, place - 1) - get({{ list }}, place - 2) > {{ gap }}, true))
{%- endmacro %}

{# How many items of a list lie in a span, its ends among them. #}
{% macro items_between(list, first, last) %}{{ adapter.dispatch('items_between')(list, first, last) }}{% endmacro %}
{% macro default__items_between(list, first, last) -%}
    coalesce(len(list_filter({{ list }}, lambda item: item between {{ first }} and {{ last }})), 0)
{%- endmacro %}
{% macro spark__items_between(list, first, last) -%}
    size(filter({{ list }}, item -> item between {{ first }} and {{ last }}))
{%- endmacro %}
