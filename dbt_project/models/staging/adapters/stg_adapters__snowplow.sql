-- One row per row of the declared Snowplow atomic events, as a canonical event. Delivered at least once; staging keeps the copy ingested first.
-- The loaders of BigQuery, Snowflake and Databricks write one column per schema, typed or as JSON, and a column exists once it was met:
--     events      columns of self-describing events, whose content becomes the properties; every unstruct_event_... unless told
--     entities    columns contexts_... that are kept in the context; none unless told
-- Columns contexts_com_iab_snowplow_spiders_and_robots_1... tell machines, in whatever version and spelling the table has them. Redshift's
-- tables of their own are declared through a view that joins them by these names.

{% set entries = adapters_of(['snowplow']) %}
{{ config(enabled=entries | length > 0) }}
{% set types = {'page_view': 'page', 'screen_view': 'screen'} %}
{% set automatic = [
    'application_error', 'application_background', 'diagnostic_error', 'message_notification', 'screen_end', 'web_vitals',
    'timing',
] %}
{% set known = {'transaction': 'Order Completed', 'sign_up': 'Signed Up', 'login': 'Signed In'} %}
{% set robots = 'contexts_com_iab_snowplow_spiders_and_robots_1' %}

with

united as (
    {% for entry in entries %}
        {% set columns = columns_of(entry.relation) %}
        {% set found, machines, entities = [], [], {} %}
        {% for name in columns if name.startswith('unstruct_event_') %}{% do found.append(name) %}{% endfor %}
        {% for name in columns if name.startswith(robots) %}
            {% do machines.append(text_matches('lower(' ~ json_text_of('told.' ~ name) ~ ')', '"spider_?or_?robot": *true')) %}
        {% endfor %}
        {% for name in entry.entities or [] %}{% do entities.update({name: json_text_of('told.' ~ name)}) %}{% endfor %}
        select
            told.event_id,
            {{ text_or_null(entry.source) }} as source,
            case told.event_name {% for name, type in types.items() %}when '{{ name }}' then '{{ type }}' {% endfor %}else 'track' end as type,
            case
                when told.event_name not in ('{{ types | join("', '") }}')
                    then {{ canonical_name("coalesce(case when told.event_name = 'event' then told.se_action end, told.event_name)", entry, known) }}
            end as event_name,
            {{ person_or_device('told.user_id', 'told.domain_userid', entry) }} as user_id,
            told.domain_userid as anonymous_id,
            cast(told.derived_tstamp as timestamp) as occurred_at,
            cast(told.dvce_created_tstamp as timestamp) as original_at,
            cast(told.dvce_sent_tstamp as timestamp) as sent_at,
            cast(told.collector_tstamp as timestamp) as received_at,
            cast(coalesce(told.{{ entry.loaded_at or 'load_tstamp' }}, told.collector_tstamp) as timestamp) as ingested_at,
            {{ adapted_channel('told.event_name', entry, automatic) }} as channel,
            {{ 'case when ' ~ machines | join(' or ') ~ ' then true end' if machines else 'cast(null as boolean)' }} as is_machine,
            cast(coalesce(cast(told.tr_total as double), cast(told.se_value as double)) as decimal(18, 4)) as value,
            told.tr_currency as currency,
            coalesce(
                {% for name in entry.events or found %}
                    {{ json_text_of('told.' ~ name) }},
                {% endfor %}
                {{ json_object_of({
                    'category': 'told.se_category', 'action': 'told.se_action', 'label': 'told.se_label', 'order_id': 'told.tr_orderid',
                    'url': 'told.page_url',
                }) }}
            ) as properties,
            {{ context_of('told.mkt_source', 'told.mkt_medium', 'told.mkt_campaign', 'told.useragent', more=entities) }} as context
        from {{ entry.relation }} as told
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select * from united
