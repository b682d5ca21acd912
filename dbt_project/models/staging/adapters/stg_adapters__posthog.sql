-- One row per row of the declared PostHog events (batch export or events model), as a canonical event.
-- A merge of persons does not rewrite past rows; with `persons` (distinct_id, person_id, version) the person of today holds for all of them.

{% set entries = adapters_of(['posthog']) %}
{{ config(enabled=entries | length > 0) }}
{% set types = {'$pageview': 'page', '$screen': 'screen', '$identify': 'identify', '$set': 'identify', '$groupidentify': 'group', '$create_alias': 'alias'} %}

with

{% for entry in entries if entry.persons %}
    persons_{{ loop.index }} as (
        select
            distinct_id,
            max_by(person_id, version) as person_id
        from {{ entry.persons }}
        group by distinct_id
    ),

{% endfor %}
united as (
    {% set placed = namespace(persons=0) %}
    {% for entry in entries %}
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
                cast(told.person_id as string), told.distinct_id
            ) as user_id,
            told.distinct_id as anonymous_id,
            cast(told.timestamp as timestamp) as occurred_at,
            cast(null as timestamp) as original_at,
            cast(null as timestamp) as sent_at,
            cast(told.created_at as timestamp) as received_at,
            cast(told.{{ entry.loaded_at or 'created_at' }} as timestamp) as ingested_at,
            {{ text_or_null(entry.channel or 'web') }} as channel,
            cast(null as boolean) as is_machine,
            try_cast(
                coalesce(
                    {% for key in entry.value_keys or ['revenue', 'value'] %}{{ json_at('told.properties', [key]) }}{{ ', ' if not loop.last }}{% endfor %},
                    null
                ) as decimal(18, 4)
            ) as value,
            {{ json_at('told.properties', ['currency']) }} as currency,
            cast(told.properties as string) as properties,
            {{ context_of(
                "coalesce(" ~ json_at('told.properties', ['utm_source']) ~ ", " ~ json_at('told.properties', ['$utm_source']) ~ ")",
                "coalesce(" ~ json_at('told.properties', ['utm_medium']) ~ ", " ~ json_at('told.properties', ['$utm_medium']) ~ ")",
                "coalesce(" ~ json_at('told.properties', ['utm_campaign']) ~ ", " ~ json_at('told.properties', ['$utm_campaign']) ~ ")",
                json_at('told.properties', ['$raw_user_agent']),
                json_part_text('told.properties', '$set')
            ) }} as context
        from {{ entry.relation }} as told
        {% if entry.persons %}
            left join persons_{{ placed.persons }} on told.distinct_id = persons_{{ placed.persons }}.distinct_id
        {% endif %}
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select * from united
