{# Reading JSON; each has a default (DuckDB) and another engine's form. Paths are lists of names, so that no spelling of a path leaks. #}

{# Text at a path of names and positions; null where there is nothing, or JSON null. #}
{% macro json_at(column, path) %}{{ adapter.dispatch('json_at')(column, path) }}{% endmacro %}
{% macro default__json_at(column, path) %}json_extract_string({{ column }}, '{{ dollar_path(path, '."', '"') }}'){% endmacro %}
{% macro spark__json_at(column, path) %}get_json_object({{ column }}, "{{ dollar_path(path, "['", "']") }}"){% endmacro %}

{# JSON at a path, to be read further. #}
{% macro json_part(column, path) %}{{ adapter.dispatch('json_part')(column, path) }}{% endmacro %}
{% macro default__json_part(column, path) %}json_extract({{ column }}, '{{ dollar_path(path, '."', '"') }}'){% endmacro %}
{% macro spark__json_part(column, path) %}get_json_object({{ column }}, "{{ dollar_path(path, "['", "']") }}"){% endmacro %}

{% macro dollar_path(path, before, after) %}
    {%- set found = namespace(text='$') -%}
    {%- for step in path -%}
        {%- set found.text = found.text ~ ('[' ~ step ~ ']' if step is number else before ~ step ~ after) -%}
    {%- endfor -%}
    {{- found.text -}}
{% endmacro %}

{# Whether a JSON value is an object. #}
{% macro is_json_object(column) %}coalesce(left(cast({{ column }} as string), 1) = '{', false){% endmacro %}

{# The elements of a JSON array as a list; one null where it is empty or no array, so that nothing that arrived vanishes. #}
{% macro json_items(column) %}{{ adapter.dispatch('json_items')(column) }}{% endmacro %}
{% macro default__json_items(column) -%}
    case when json_array_length({{ column }}) > 0 then from_json({{ column }}, '["json"]') else [cast(null as json)] end
{%- endmacro %}
{% macro spark__json_items(column) -%}
    case
        when json_array_length({{ column }}) > 0 then from_json({{ column }}, 'array<string>')
        else array(cast(null as string))
    end
{%- endmacro %}

{# Two columns, one row per element of a list: the element and its position from 0. #}
{% macro each_of(list, element, position) %}{{ adapter.dispatch('each_of')(list, element, position) }}{% endmacro %}
{% macro default__each_of(list, element, position) -%}
    unnest({{ list }}) as {{ element }},
        unnest(range(len({{ list }}))) as {{ position }}
{%- endmacro %}
{% macro spark__each_of(list, element, position) %}posexplode({{ list }}) as ({{ position }}, {{ element }}){% endmacro %}

{# The instant of a text of seconds since 1970; null where it is no number or lies beyond the year 2200. #}
{% macro instant_of_seconds(text) %}{{ adapter.dispatch('instant_of_seconds')(text) }}{% endmacro %}
{% macro default__instant_of_seconds(text) -%}
    case
        when try_cast({{ text }} as double) between 0 and 7258118400
            then make_timestamp(cast(round(try_cast({{ text }} as double) * 1000000) as bigint))
    end
{%- endmacro %}
{% macro spark__instant_of_seconds(text) -%}
    case
        when try_cast({{ text }} as double) between 0 and 7258118400
            then {{ micros_as_timestamp('cast(round(try_cast(' ~ text ~ ' as double) * 1000000) as bigint)') }}
    end
{%- endmacro %}

{# The instant of an ISO text in UTC, whatever its offset and however many digits its seconds have; null where it is none. #}
{% macro instant_of_text(text) %}{{ adapter.dispatch('instant_of_text')(text) }}{% endmacro %}
{% macro default__instant_of_text(text) %}(try_cast({{ text }} as timestamptz) at time zone 'UTC'){% endmacro %}
{# A zoned timestamp reads the offset; the session's zone is UTC. #}
{% macro spark__instant_of_text(text) %}cast(try_cast({{ text }} as timestamp_ltz) as timestamp_ntz){% endmacro %}

{# One of the ids that a message carries out and every event brings back. #}
{% macro carried_id(column, path, name) -%}
    {%- if name == 'creative_id' -%}
        coalesce({{ json_at(column, path + ['creative_id']) }}, {{ json_at(column, path + ['variant_id']) }})
    {%- else -%}
        {{ json_at(column, path + [name]) }}
    {%- endif -%}
{%- endmacro %}

{# The columns that every provider's staging model ends in, in their order. #}
{% macro channel_columns() -%}
    {{ return([
        'inbox_id', 'item_number', 'provider', 'source', 'event_id', 'provider_event', 'event_type', 'channel', 'recipient',
        'message_id', 'send_id', 'experiment_id', 'creative_id', 'decision_id', 'campaign_id', 'list_id', 'url', 'detail',
        'reject_reason', 'agent_marks', 'is_said_machine', 'is_permanent', 'occurred_at', 'received_at', 'ingested_at', 'unread_reason',
    ]) }}
{%- endmacro %}

{# The same columns from a model that has only some of them: the others are null, which says unknown. #}
{% macro channel_row(given) -%}
    {%- set flags = ['is_said_machine', 'is_permanent'] -%}
    {%- for column in channel_columns() -%}
        {%- if column in given -%}{{ column }}
        {%- else -%}cast(null as {{ 'boolean' if column in flags else 'string' }}) as {{ column }}
        {%- endif -%}
        {{ ',\n    ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# A digest of texts in an order; a null counts as an empty text. #}
{% macro digest_of(texts) -%}
    {%- set parts = [] -%}
    {%- for text in texts -%}{%- do parts.append("coalesce(" ~ text ~ ", '')") -%}{%- endfor -%}
    {{ sha256_of("concat(" ~ parts | join(", '|', ") ~ ")") }}
{%- endmacro %}

{# One JSON object laid over another; the second one's fields hold. #}
{% macro json_merged(below, above) %}{{ adapter.dispatch('json_merged')(below, above) }}{% endmacro %}
{% macro default__json_merged(below, above) -%}
    case
        when {{ is_json_object(below) }} and {{ is_json_object(above) }} then json_merge_patch({{ below }}, {{ above }})
        when {{ is_json_object(above) }} then {{ above }}
        when {{ is_json_object(below) }} then {{ below }}
    end
{%- endmacro %}
{% macro spark__json_merged(below, above) -%}
    case when {{ is_json_object(above) }} then {{ above }} when {{ is_json_object(below) }} then {{ below }} end
{%- endmacro %}

{# A JSON object with one field of text. #}
{% macro json_field(name, text) %}{{ adapter.dispatch('json_field')(name, text) }}{% endmacro %}
{% macro default__json_field(name, text) %}json_object('{{ name }}', {{ text }}){% endmacro %}
{% macro spark__json_field(name, text) %}to_json(named_struct('{{ name }}', {{ text }})){% endmacro %}

{# JSON text of an object; fields that are null may be left out of it. fields: name -> SQL of a text. #}
{% macro json_fields(fields) %}{{ adapter.dispatch('json_fields')(fields) }}{% endmacro %}
{% macro default__json_fields(fields) -%}
    json_object({% for name, text in fields.items() %}'{{ name }}', {{ text }}{{ ', ' if not loop.last }}{% endfor %})
{%- endmacro %}
{% macro spark__json_fields(fields) -%}
    to_json(named_struct({% for name, text in fields.items() %}'{{ name }}', {{ text }}{{ ', ' if not loop.last }}{% endfor %}))
{%- endmacro %}

{# A list of one element. #}
{% macro one_item(column) %}{{ adapter.dispatch('one_item')(column) }}{% endmacro %}
{% macro default__one_item(column) %}[{{ column }}]{% endmacro %}
{% macro spark__one_item(column) %}array({{ column }}){% endmacro %}

{# JSON text as the engine keeps JSON. #}
{% macro as_json(text) %}{{ adapter.dispatch('as_json')(text) }}{% endmacro %}
{% macro default__as_json(text) %}cast({{ text }} as json){% endmacro %}
{% macro spark__as_json(text) %}{{ text }}{% endmacro %}
