-- One row per row of the declared Segment and RudderStack tables (tracks, pages, screens, identifies, aliases), as a canonical event.
-- `tracks` has no properties of its own: `details` names the table of an event and the columns that become its properties.
-- A column exists in these schemas only once it was not null, so columns beyond the fixed ones are declared:
--     context   of campaign_source, campaign_medium, campaign_name and user_agent, those that exist
--     traits    columns of identifies that hold traits (segment, country, timezone, consent)
--     details   list of {event, relation, columns, value, currency}, matched by id

{% set entries = adapters_of(['segment', 'rudderstack']) %}
{{ config(enabled=entries | length > 0) }}
{% set types = segment_tables() %}

with

{% for entry in entries %}
{% set number = loop.index %}
{% for detail in entry.details or [] %}
    detail_{{ number }}_{{ loop.index }} as (
        select
            id,
            max({{ json_object_of(dict(zip(detail['columns'], detail['columns']))) }}) as properties,
            {{ 'max(try_cast(' ~ detail.value ~ ' as decimal(18, 4)))' if detail.value else 'cast(null as decimal(18, 4))' }} as value,
            {{ 'max(' ~ detail.currency ~ ')' if detail.currency else 'cast(null as string)' }} as currency
        from {{ detail.relation }}
        group by id
    ),

{% endfor %}
{% endfor %}
united as (
    {% for entry in entries %}
        {% set number = loop.index %}
        {% set last_entry = loop.last %}
        {% set context = entry.context or [] %}
        {% set details = entry.details or [] %}
        {% for table, relation in entry.relations.items() %}
            select
                told.id as event_id,
                {{ text_or_null(entry.source) }} as source,
                '{{ types[table] }}' as type,
                {{ canonical_name('told.event_text', entry) if table == 'tracks' else 'cast(null as string)' }} as event_name,
                {{ 'told.user_id' if table == 'aliases' else person_or_device('told.user_id', 'told.anonymous_id', entry) }} as user_id,
                {{ 'cast(null as string)' if table == 'aliases' else 'told.anonymous_id' }} as anonymous_id,
                cast(told.timestamp as timestamp) as occurred_at,
                cast(told.original_timestamp as timestamp) as original_at,
                cast(told.sent_at as timestamp) as sent_at,
                cast(told.received_at as timestamp) as received_at,
                cast(told.{{ entry.loaded_at or 'uuid_ts' }} as timestamp) as ingested_at,
                {{ text_or_null(entry.channel or 'web') }} as channel,
                cast(null as boolean) as is_machine,
                {% if table == 'tracks' and details %}
                    {% for column in ['value', 'currency', 'properties'] %}
                        coalesce({% for detail in details %}detail_{{ number }}_{{ loop.index }}.{{ column }}{{ ', ' if not loop.last }}{% endfor %})
                            as {{ column }},
                    {% endfor %}
                {% else %}
                    cast(null as decimal(18, 4)) as value,
                    cast(null as string) as currency,
                    {% if table == 'identifies' and entry.traits %}
                        {% set traits = {} %}
                        {% for trait in entry.traits %}{% do traits.update({trait: 'told.' ~ trait}) %}{% endfor %}
                        {{ json_object_of(traits) }} as properties,
                    {% elif table == 'aliases' %}
                        {{ json_object_of({'previousId': 'told.previous_id'}) }} as properties,
                    {% else %}
                        cast(null as string) as properties,
                    {% endif %}
                {% endif %}
                {% set said = {} %}
                {% for name in ['campaign_source', 'campaign_medium', 'campaign_name', 'user_agent'] %}
                    {% do said.update({name: 'told.context_' ~ name if name in context and table != 'aliases' else 'cast(null as string)'}) %}
                {% endfor %}
                {{ context_of(said.campaign_source, said.campaign_medium, said.campaign_name, said.user_agent) }} as context
            from {{ relation }} as told
            {% if table == 'tracks' %}
                {% for detail in details %}
                    left join detail_{{ number }}_{{ loop.index }}
                        on told.event = '{{ detail.event }}' and told.id = detail_{{ number }}_{{ loop.index }}.id
                {% endfor %}
            {% endif %}
            {{ 'union all' if not (loop.last and last_entry) }}
        {% endfor %}
    {% endfor %}
)

select * from united
