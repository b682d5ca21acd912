-- One row per row of the declared Amplitude export, as a canonical event. The export is cut by server_upload_time, so that is when the
-- warehouse could know an event; user properties are the traits.

{% set entries = adapters_of(['amplitude']) %}
{{ config(enabled=entries | length > 0) }}
{% set types = {'[Amplitude] Page Viewed': 'page', '$identify': 'identify', '$groupidentify': 'group'} %}
{% set known = {'revenue_amount': 'Order Completed', 'verified_revenue': 'Order Completed', 'unverified_revenue': 'Order Completed'} %}

with

united as (
    {% for entry in entries %}
        select
            cast(told.uuid as string) as event_id,
            {{ text_or_null(entry.source) }} as source,
            case told.event_type {% for name, type in types.items() %}when '{{ name }}' then '{{ type }}' {% endfor %}else 'track' end as type,
            case when told.event_type not in ('{{ types | join("', '") }}') then {{ canonical_name('told.event_type', entry, known) }} end as event_name,
            told.user_id,
            coalesce(told.device_id, cast(told.amplitude_id as string)) as anonymous_id,
            cast(told.event_time as timestamp) as occurred_at,
            cast(told.client_event_time as timestamp) as original_at,
            cast(told.client_upload_time as timestamp) as sent_at,
            cast(told.server_received_time as timestamp) as received_at,
            cast(told.{{ entry.loaded_at or 'server_upload_time' }} as timestamp) as ingested_at,
            {{ text_or_null(entry.channel or 'web') }} as channel,
            cast(null as boolean) as is_machine,
            try_cast(
                coalesce({{ json_at('told.event_properties', ['$revenue']) }}, {{ json_at('told.event_properties', ['revenue']) }}) as decimal(18, 4)
            ) as value,
            coalesce({{ json_at('told.event_properties', ['$currency']) }}, {{ json_at('told.event_properties', ['currency']) }}) as currency,
            cast(told.event_properties as string) as properties,
            {{ context_of(
                "coalesce(" ~ json_at('told.event_properties', ['utm_source']) ~ ", " ~ json_at('told.user_properties', ['utm_source']) ~ ")",
                "coalesce(" ~ json_at('told.event_properties', ['utm_medium']) ~ ", " ~ json_at('told.user_properties', ['utm_medium']) ~ ")",
                "coalesce(" ~ json_at('told.event_properties', ['utm_campaign']) ~ ", " ~ json_at('told.user_properties', ['utm_campaign']) ~ ")",
                'cast(null as string)',
                'cast(told.user_properties as string)'
            ) }} as context
        from {{ entry.relation }} as told
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select * from united
