-- One row per row of the declared Snowplow atomic events, as a canonical event. `unstruct_event` and `contexts` are self-describing JSON, as
-- in the enriched event: the data of the first are the properties, the list of the second is kept under `contexts`.
-- The spiders-and-robots context tells machines. Snowplow delivers at least once; staging keeps the copy ingested first.

{% set entries = adapters_of(['snowplow']) %}
{{ config(enabled=entries | length > 0) }}
{% set types = {'page_view': 'page', 'screen_view': 'screen'} %}
{% set known = {'transaction': 'Order Completed', 'sign_up': 'Signed Up', 'login': 'Signed In'} %}

with

united as (
    {% for entry in entries %}
        select
            told.event_id,
            {{ text_or_null(entry.source) }} as source,
            case told.event_name {% for name, type in types.items() %}when '{{ name }}' then '{{ type }}' {% endfor %}else 'track' end as type,
            case
                when told.event_name not in ('{{ types | join("', '") }}')
                    then {{ canonical_name("coalesce(case when told.event_name = 'event' then told.se_action end, told.event_name)", entry, known) }}
            end as event_name,
            told.user_id,
            told.domain_userid as anonymous_id,
            cast(told.derived_tstamp as timestamp) as occurred_at,
            cast(told.dvce_created_tstamp as timestamp) as original_at,
            cast(told.dvce_sent_tstamp as timestamp) as sent_at,
            cast(told.collector_tstamp as timestamp) as received_at,
            cast(coalesce(told.{{ entry.loaded_at or 'load_tstamp' }}, told.collector_tstamp) as timestamp) as ingested_at,
            {{ text_or_null(entry.channel or 'web') }} as channel,
            case when {{ text_matches('cast(told.contexts as string)', '"spiderOrRobot": *true') }} then true end as is_machine,
            cast(coalesce(cast(told.tr_total as double), cast(told.se_value as double)) as decimal(18, 4)) as value,
            told.tr_currency as currency,
            coalesce(
                {{ json_part_text(json_part_text('told.unstruct_event', 'data'), 'data') }},
                {{ json_object_of({
                    'category': 'told.se_category', 'action': 'told.se_action', 'label': 'told.se_label', 'order_id': 'told.tr_orderid',
                    'url': 'told.page_url',
                }) }}
            ) as properties,
            concat(
                substring({{ context_of('told.mkt_source', 'told.mkt_medium', 'told.mkt_campaign', 'told.useragent') }}, 1, length(
                    {{ context_of('told.mkt_source', 'told.mkt_medium', 'told.mkt_campaign', 'told.useragent') }}
                ) - 1),
                ',"contexts":', coalesce({{ json_part_text('told.contexts', 'data') }}, 'null'), '}'
            ) as context
        from {{ entry.relation }} as told
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select * from united
