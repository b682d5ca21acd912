-- One row per row of the declared Amplitude export, as a canonical event. The export is cut by server_upload_time, so that is when the
-- warehouse could know an event; user properties are the traits. A campaign is read from the event's own properties alone: the user's keep
-- it for good, so that every later visit would seem to come through it.

{% set entries = adapters_of(['amplitude']) %}
{{ config(enabled=entries | length > 0) }}
{% set types = {'[Amplitude] Page Viewed': 'page', '$identify': 'identify', '$groupidentify': 'group'} %}
{% set automatic = [
    'session_end', '[Amplitude] End Session', '[Amplitude] Application Backgrounded', '[Amplitude] Replay Captured', '[Amplitude] Web Vitals',
    '[Amplitude] Network Request', '[Amplitude] Error Logged', '[Experiment] Assignment', '[Experiment] Exposure', '$exposure',
] %}
{% set known = {'revenue_amount': 'Order Completed', 'verified_revenue': 'Order Completed', 'unverified_revenue': 'Order Completed'} %}

with

united as (
    {% for entry in entries %}
        select
            cast(told.uuid as string) as event_id,
            {{ text_or_null(entry.source) }} as source,
            case told.event_type {% for name, type in types.items() %}when '{{ name }}' then '{{ type }}' {% endfor %}else 'track' end as type,
            case when told.event_type not in ('{{ types | join("', '") }}') then {{ canonical_name('told.event_type', entry, known) }} end as event_name,
            {% set device = 'coalesce(told.device_id, cast(told.amplitude_id as string))' %}
            {{ person_or_device('told.user_id', device, entry) }} as user_id,
            {{ device }} as anonymous_id,
            cast(told.event_time as timestamp) as occurred_at,
            cast(told.client_event_time as timestamp) as original_at,
            cast(told.client_upload_time as timestamp) as sent_at,
            cast(told.server_received_time as timestamp) as received_at,
            cast(told.{{ entry.loaded_at or 'server_upload_time' }} as timestamp) as ingested_at,
            {{ adapted_channel('told.event_type', entry, automatic) }} as channel,
            cast(null as boolean) as is_machine,
            try_cast(
                coalesce({{ json_at('told.event_properties', ['$revenue']) }}, {{ json_at('told.event_properties', ['revenue']) }}) as decimal(18, 4)
            ) as value,
            coalesce({{ json_at('told.event_properties', ['$currency']) }}, {{ json_at('told.event_properties', ['currency']) }}) as currency,
            cast(told.event_properties as string) as properties,
            {{ context_of(
                json_at('told.event_properties', ['utm_source']),
                json_at('told.event_properties', ['utm_medium']),
                json_at('told.event_properties', ['utm_campaign']),
                'cast(null as string)',
                'cast(told.user_properties as string)'
            ) }} as context
        from {{ entry.relation }} as told
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select * from united
