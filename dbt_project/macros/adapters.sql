{#
    Event tables that people already have, by declaration: `vars: event_adapters` in dbt_project.yml is a list of

        kind         segment, rudderstack, posthog, ga4, snowplow or amplitude
        source       name of it in `source`, such as segment/web; with the event's id it is unique
        relation     the table, as the warehouse calls it
        aliases      the tool's event name -> ours, such as {order_done: Order Completed}; laid over the built-in ones
        loaded_at    column that says when the warehouse got the row, where it differs from the tool's own
        channel      channel that its events came through; web unless told. A name that says its channel (`SMS Sent`) goes before it
        people       `devices`: who is not signed in is told by the device. Unless told, such events belong to nobody. Who signs in later
                     counts twice then, as the device and as the person

    and, of one kind alone (its model says more):

        relations, context, traits, details     segment and rudderstack, which have a table for each type of call
        persons, value_keys                     posthog, whose device ids are people's without a declaration
        final_after_days                        ga4
        events, entities                        snowplow, whose table has a column for each schema

    Columns that an export has or has not, by its age and its warehouse, are looked for in the table when the project is built. When one
    that tells the person or the arrival is new to a table, build with --full-refresh.

    Ids of people must be opaque already: a table that is read in place is not pseudonymised.
#}

{# The declared adapters of some kinds; all of them for none. One that cannot be read as it was meant is refused. #}
{% macro adapters_of(kinds=none) %}
    {%- set found, declared = [], var('event_adapters', none) or [] -%}
    {%- for entry in declared -%}
        {%- do require_adapter(entry, loop.index) -%}
        {%- if kinds is none or entry.kind in kinds -%}{%- do found.append(entry) -%}{%- endif -%}
    {%- endfor -%}
    {{- return(found) -}}
{% endmacro %}

{# Tables of Segment and RudderStack that hold events, and the type of call that each of them is. #}
{% macro segment_tables() %}
    {{- return({'tracks': 'track', 'pages': 'page', 'screens': 'screen', 'identifies': 'identify', 'aliases': 'alias'}) -}}
{% endmacro %}

{# Raises a compiler error that names what a declaration lacks, or says that nobody would read. #}
{% macro require_adapter(entry, number) %}
    {%- set by_tables = ['relations', 'context', 'traits', 'details', 'people'] -%}
    {%- set own = {
        'segment': by_tables, 'rudderstack': by_tables, 'posthog': ['relation', 'persons', 'value_keys'],
        'ga4': ['relation', 'final_after_days', 'people'], 'snowplow': ['relation', 'events', 'entities', 'people'],
        'amplitude': ['relation', 'people'],
    } -%}
    {%- set place = 'vars: event_adapters, number ' ~ number -%}
    {%- if entry is not mapping or entry.kind not in own -%}
        {%- do exceptions.raise_compiler_error(place ~ ': kind must be one of ' ~ own | join(', ') ~ '.') -%}
    {%- endif -%}
    {%- set place, table = place ~ ' (' ~ entry.kind ~ ')', own[entry.kind][0] -%}
    {%- for key in ['source', table] if not entry[key] -%}
        {%- do exceptions.raise_compiler_error(place ~ ': `' ~ key ~ '` is missing.') -%}
    {%- endfor -%}
    {%- set known = ['kind', 'source', 'aliases', 'loaded_at', 'channel'] + own[entry.kind] -%}
    {%- for key in entry if key not in known -%}
        {%- do exceptions.raise_compiler_error(place ~ ': `' ~ key ~ '` is unknown; known are ' ~ known | join(', ') ~ '.') -%}
    {%- endfor -%}
    {%- if 'people' in entry and entry.people != 'devices' -%}
        {%- do exceptions.raise_compiler_error(place ~ ': `people` may be devices, not `' ~ entry.people ~ '`.') -%}
    {%- endif -%}
    {%- for name in entry.relations or {} if name not in segment_tables() -%}
        {%- do exceptions.raise_compiler_error(
            place ~ ': `relations` has no table `' ~ name ~ '`; it may have ' ~ segment_tables() | join(', ') ~ '.'
        ) -%}
    {%- endfor -%}
    {%- set columns = ['campaign_source', 'campaign_medium', 'campaign_name', 'user_agent'] -%}
    {%- for name in entry.context or [] if name not in columns -%}
        {%- do exceptions.raise_compiler_error(place ~ ': `context` has no `' ~ name ~ '`; it may have ' ~ columns | join(', ') ~ '.') -%}
    {%- endfor -%}
    {%- for detail in entry.details or [] -%}
        {%- for key in ['event', 'relation', 'columns'] if not detail[key] -%}
            {%- do exceptions.raise_compiler_error(place ~ ': `' ~ key ~ '` of `details`, number ' ~ loop.index ~ ', is missing.') -%}
        {%- endfor -%}
    {%- endfor -%}
{% endmacro %}

{# The tables an adapter reads, one list for all kinds. #}
{% macro relations_of(entry) %}
    {{- return((entry.relations or {}).values() | list + ([entry.relation] if entry.relation else [])) -}}
{% endmacro %}

{# Names of a table's columns, in lower case; none before the project is built. #}
{% macro columns_of(relation) %}
    {%- if not execute -%}{{ return([]) }}{%- endif -%}
    {{ return(run_query('select * from ' ~ relation ~ ' limit 0').column_names | map('lower') | list) }}
{% endmacro %}

{# The first of these columns that the table `told` has, as a type; a null of it if it has none. #}
{% macro first_column(names, columns, type) %}
    {%- set found = [] -%}
    {%- for name in names if name in columns -%}{%- do found.append('told.' ~ name) -%}{%- endfor -%}
    {{- 'cast(' ~ (found[0] if found else 'null') ~ ' as ' ~ type ~ ')' -}}
{% endmacro %}

{# Whose event it is: the person's, or the device's where a declaration takes devices for people. #}
{% macro person_or_device(person, device, entry) %}{{ 'coalesce(' ~ person ~ ', ' ~ device ~ ')' if entry.people == 'devices' else person }}{% endmacro %}

{# The channel of an adapter's event: `system` for what the tool sends by itself, which is nobody's activity, else the declared one. #}
{% macro adapted_channel(name, entry, automatic) -%}
    case when {{ name }} in ('{{ automatic | join("', '") }}') then 'system' else {{ text_or_null(entry.channel or 'web') }} end
{%- endmacro %}

{# The channel that an event's name says, whoever brought it; else the one given. Only `web` is people's activity without further notice. #}
{% macro channel_said_by(name, otherwise) -%}
    case
        when {{ name }} like 'Email %' or {{ name }} = 'Unsubscribed' then 'email'
        when {{ name }} like 'SMS %' then 'sms'
        when {{ name }} like 'Push %' then 'push'
        when {{ name }} in ('Application Uninstalled', 'Application Crashed') then 'system'
        else {{ otherwise }}
    end
{%- endmacro %}

{# Why a row of an adapter is no event, by the column that counts it; the first that applies. #}
{% macro left_out_reasons() %}
    {{- return({
        'without_id': 'event_id is null', 'without_arrival': 'ingested_at is null', 'of_nobody': 'coalesce(user_id, anonymous_id) is null',
    }) -}}
{% endmacro %}
{% macro left_out_for() -%}
    case{% for reason, condition in left_out_reasons().items() %} when {{ condition }} then '{{ reason }}'{% endfor %} end
{%- endmacro %}

{# The models that the declared adapters are read by. #}
{% macro adapter_models() %}
    {%- set used = [] -%}
    {%- for entry in adapters_of() -%}
        {%- set model = 'stg_adapters__' ~ ('segment' if entry.kind == 'rudderstack' else entry.kind) -%}
        {%- if model not in used -%}{%- do used.append(model) -%}{%- endif -%}
    {%- endfor -%}
    {{- return(used) -}}
{% endmacro %}

{# Our name of an event: the declared alias, else the built-in one, else the tool's own. #}
{% macro canonical_name(column, entry, known={}) %}
    {%- set names = dict(known, **(entry.aliases or {})) -%}
    {% if not names %}{{ column }}{% else %}
        case {{ column }}
            {% for said, name in names.items() %}
                when '{{ said | replace("'", "''") }}' then '{{ name | replace("'", "''") }}'
            {% endfor %}
            else {{ column }}
        end
    {% endif %}
{% endmacro %}

{# A text literal, or a null of text. #}
{% macro text_or_null(value) %}{% if value is none or value is undefined %}cast(null as string){% else %}'{{ value | replace("'", "''") }}'{% endif %}{% endmacro %}

{# The JSON under one key of a JSON column, as text. #}
{% macro json_part_text(column, key) %}cast({{ json_part(column, [key]) }} as string){% endmacro %}

{# A JSON object, as text, of expressions by key. #}
{% macro json_object_of(fields) %}{{ adapter.dispatch('json_object_of')(fields) }}{% endmacro %}
{% macro default__json_object_of(fields) -%}
    cast(json_object({% for key, value in fields.items() %}'{{ key }}', {{ value }}{{ ', ' if not loop.last }}{% endfor %}) as string)
{%- endmacro %}
{% macro spark__json_object_of(fields) -%}
    to_json(named_struct({% for key, value in fields.items() %}'{{ key }}', {{ value }}{{ ', ' if not loop.last }}{% endfor %}))
{%- endmacro %}

{# A value as text, and as JSON text where it is an object or a list, whether the engine keeps it as its own type, as JSON or as text. #}
{% macro json_text_of(value) %}{{ json_at(json_object_of({'it': value}), ['it']) }}{% endmacro %}

{# What staging reads of the circumstances: campaign, user agent and traits, the last a JSON text; and more JSON texts by key. #}
{% macro context_of(utm_source, utm_medium, utm_campaign, user_agent, traits="cast(null as string)", more={}) -%}
    concat(
        '{"campaign":', {{ json_object_of({'source': utm_source, 'medium': utm_medium, 'name': utm_campaign}) }},
        ',"traits":', coalesce({{ traits }}, 'null'),
        {% for key, text in more.items() %}
            ',"{{ key }}":', coalesce({{ text }}, 'null'),
        {% endfor %}
        ',', substring({{ json_object_of({'userAgent': user_agent}) }}, 2)
    )
{%- endmacro %}

{# A parameter of an address, decoded; null where it has none. #}
{% macro url_parameter(url, name) %}{{ adapter.dispatch('url_parameter')(url, name) }}{% endmacro %}
{% macro default__url_parameter(url, name) -%}
    nullif(url_decode(replace(regexp_extract({{ url }}, '[?&#]{{ name }}=([^&#]*)', 1), '+', ' ')), '')
{%- endmacro %}
{% macro spark__url_parameter(url, name) -%}
    nullif(try_url_decode(regexp_extract({{ url }}, '[?&#]{{ name }}=([^&#]*)', 1)), '')
{%- endmacro %}

{# A JSON text whose keys utm_... are called registered_utm_..., so that nobody takes them for the campaign of this event. #}
{% macro campaigns_set_aside(text) %}{{ adapter.dispatch('campaigns_set_aside')(text) }}{% endmacro %}
{% macro default__campaigns_set_aside(text) %}regexp_replace({{ text }}, '"(utm_[a-z_]+)"( *:)', '"registered_\1"\2', 'g'){% endmacro %}
{% macro spark__campaigns_set_aside(text) %}regexp_replace({{ text }}, '"(utm_[a-z_]+)"( *:)', '"registered_$1"$2'){% endmacro %}

{# Microseconds since 1970 as a timestamp. #}
{% macro micros_as_timestamp(micros) %}{{ adapter.dispatch('micros_as_timestamp')(micros) }}{% endmacro %}
{% macro default__micros_as_timestamp(micros) %}make_timestamp({{ micros }}){% endmacro %}
{% macro spark__micros_as_timestamp(micros) %}cast(timestamp_micros({{ micros }}) as timestamp_ntz){% endmacro %}

{# A double as JSON writes it; null for infinity and what is no number, which JSON cannot hold. #}
{% macro json_number(value) %}case when abs({{ value }}) < cast('infinity' as double) then cast({{ value }} as string) end{% endmacro %}

{# GA4's repeated event_params as one JSON object, as text, with its keys in order. #}
{% macro ga4_params(params) %}{{ adapter.dispatch('ga4_params')(params) }}{% endmacro %}
{% macro default__ga4_params(params) -%}
    concat('{', array_to_string(list_sort(list_transform({{ params }}, lambda param: concat(
        cast(to_json(param.key) as string), ':', coalesce(
            cast(to_json(param.value.string_value) as string), cast(param.value.int_value as string),
            {{ json_number('param.value.double_value') }}, {{ json_number('param.value.float_value') }}, 'null'
        )
    ))), ','), '}')
{%- endmacro %}
{% macro spark__ga4_params(params) -%}
    concat('{', array_join(array_sort(transform({{ params }}, param -> concat(
        '"', param.key, '":', coalesce(
            substring(to_json(named_struct('v', param.value.string_value)), 6, length(to_json(named_struct('v', param.value.string_value))) - 6),
            cast(param.value.int_value as string), {{ json_number('param.value.double_value') }}, {{ json_number('param.value.float_value') }}, 'null'
        )
    ))), ','), '}')
{%- endmacro %}

{# A date written as YYYYMMDD. #}
{% macro date_of_digits(text) %}cast(concat(substring({{ text }}, 1, 4), '-', substring({{ text }}, 5, 2), '-', substring({{ text }}, 7, 2)) as date){% endmacro %}
