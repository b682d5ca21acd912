-- One row per row of the declared PostHog events (batch export or events model), as a canonical event.
-- A merge of persons does not rewrite past rows; with `persons` (the export's model of them) the person of today holds for all of them. The
-- exports to BigQuery and Snowflake tell neither the person nor the time of arrival: there the distinct_id stands in without `persons`, and
-- the event's own time where the table has no other.
-- A campaign is read from the address of the page. The properties utm_... are registered for good and sent with every later visit, and
-- $session_entry_utm_... with every event of one; those of the first kind are kept as registered_utm_..., where nobody takes them for touches.

{% set entries = adapters_of(['posthog']) %}
{{ config(enabled=entries | length > 0) }}
{% set types = {'$pageview': 'page', '$screen': 'screen', '$identify': 'identify', '$set': 'identify', '$groupidentify': 'group', '$create_alias': 'alias'} %}
{% set automatic = [
    '$feature_flag_called', '$web_vitals', '$exception', '$pageleave', '$opt_in', '$unset', '$performance_event', '$$heatmap',
    '$csp_violation', '$ai_generation', '$ai_trace', '$ai_span', '$ai_embedding', '$ai_metric', '$merge_dangerously', 'survey shown',
    'Application Backgrounded',
] %}

with

{% for entry in entries if entry.persons %}
    persons_{{ loop.index }} as (
        select
            distinct_id,
            {% set version = 'version' if 'version' in columns_of(entry.persons) else 'person_distinct_id_version' %}
            max_by(person_id, {{ version }}) as person_id
        from {{ entry.persons }}
        group by distinct_id
    ),

{% endfor %}
united as (
    {% set placed = namespace(persons=0) %}
    {% for entry in entries %}
        {% set columns = columns_of(entry.relation) %}
        {% if entry.persons %}{% set placed.persons = placed.persons + 1 %}{% endif %}
        select
            cast(told.uuid as string) as event_id,
            {{ text_or_null(entry.source) }} as source,
            case told.event
                {% for name, type in types.items() %}when '{{ name }}' then '{{ type }}' {% endfor %}
                else 'track'
            end as type,
            case when told.event not in ('{{ types | join("', '") }}') then {{ canonical_name('told.event', entry) }} end as event_name,
            coalesce(
                {{ 'cast(persons_' ~ placed.persons ~ '.person_id as string),' if entry.persons }}
                {{ first_column(['person_id'], columns, 'string') }}, told.distinct_id
            ) as user_id,
            told.distinct_id as anonymous_id,
            cast(told.timestamp as timestamp) as occurred_at,
            cast(null as timestamp) as original_at,
            cast(null as timestamp) as sent_at,
            {{ first_column(['created_at'], columns, 'timestamp') }} as received_at,
            {% if entry.loaded_at %}
                cast(told.{{ entry.loaded_at }} as timestamp) as ingested_at,
            {% else %}
                {{ first_column(['created_at', 'bq_ingested_timestamp', 'timestamp'], columns, 'timestamp') }} as ingested_at,
            {% endif %}
            {{ adapted_channel('told.event', entry, automatic) }} as channel,
            cast(null as boolean) as is_machine,
            try_cast(
                coalesce(
                    {% for key in entry.value_keys or ['revenue', 'value'] %}{{ json_at('told.properties', [key]) }}{{ ', ' if not loop.last }}{% endfor %},
                    null
                ) as decimal(18, 4)
            ) as value,
            {{ json_at('told.properties', ['currency']) }} as currency,
            {{ campaigns_set_aside('cast(told.properties as string)') }} as properties,
            {% set page = json_at('told.properties', ['$current_url']) %}
            {{ context_of(
                url_parameter(page, 'utm_source'),
                url_parameter(page, 'utm_medium'),
                url_parameter(page, 'utm_campaign'),
                json_at('told.properties', ['$raw_user_agent']),
                "coalesce(" ~ json_part_text('told.properties', '$set') ~ ", nullif("
                ~ first_column(['set', 'people_set'], columns, 'string') ~ ", ''))"
            ) }} as context
        from {{ entry.relation }} as told
        {% if entry.persons %}
            left join persons_{{ placed.persons }} on told.distinct_id = persons_{{ placed.persons }}.distinct_id
        {% endif %}
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select * from united
