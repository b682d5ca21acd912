-- One row per element of a Klaviyo webhook, which holds up to a thousand. A topic is 'event:klaviyo.<metric>'; metrics that are no doing
-- of a channel (an order, a page view) stay unknown here.

{% set details = ['payload', 'data', 'attributes'] %}

with

inbox as (
    select * from {{ source('raw', 'inbox') }}
    where provider = 'klaviyo'
),

listed as (
    select
        *,
        {{ json_items(json_part('body', ['data'])) }} as items
    from inbox
),

items as (
    select
        inbox_id,
        provider,
        source,
        received_at,
        ingested_at,
        {{ each_of('items', 'item', 'item_number') }}
    from listed
),

fields as (
    select
        *,
        {{ json_at('item', ['external_id']) }} as external_id,
        {{ json_at('item', ['topic']) }} as topic,
        coalesce({{ json_at('item', details + ['datetime']) }}, {{ json_at('item', ['payload', 'datetime']) }}) as told_instant,
        coalesce({{ json_at('item', details + ['timestamp']) }}, {{ json_at('item', ['payload', 'timestamp']) }}) as told_seconds,
        coalesce(
            {{ json_at('item', details + ['profile', 'email']) }},
            {{ json_at('item', ['payload', 'included', 0, 'attributes', 'email']) }},
            {{ json_at('item', ['payload', 'profile', 'email']) }},
            {{ json_at('item', ['payload', 'email']) }}
        ) as recipient,
        {{ json_at('item', details + ['event_properties', '$message']) }} as message_id,
        coalesce({{ json_at('item', details + ['event_properties', 'URL']) }}, {{ json_at('item', ['payload', 'url']) }}) as url,
        {{ json_at('item', details + ['event_properties', 'Campaign Name']) }} as campaign_id,
        {{ json_at('item', details + ['event_properties', 'List']) }} as list_id,
        {% for name in ['send_id', 'experiment_id', 'creative_id', 'decision_id'] %}
            {{ carried_id('item', details + ['event_properties'], name) }} as {{ name }},
        {% endfor %}
        {{ json_at('item', details + ['event_properties', 'machine_open']) }} as machine_open,
        {{ json_at('item', details + ['event_properties', 'Bounce Type']) }} as bounce_type
    from items
),

named as (
    select
        *,
        replace(replace(topic, 'event:', ''), 'klaviyo.', '') as provider_event,
        coalesce({{ instant_of_text('told_instant') }}, {{ instant_of_seconds('told_seconds') }}) as occurred_at
    from fields
),

read as (
    select
        *,
        coalesce(external_id, {{ sha256_of('cast(item as string)') }}, inbox_id) as event_id,
        {{ klaviyo_channel('provider_event') }} as channel,
        {{ klaviyo_event_type('provider_event') }} as event_type,
        case when lower(machine_open) = 'true' then true end as is_said_machine,
        case lower(bounce_type) when 'hard' then true when 'soft' then false end as is_permanent,
        case
            when item is null then 'the delivery holds no events'
            when not {{ is_json_object('item') }} then 'the event is no object'
            when topic is null then 'the event has no name'
            when coalesce(told_instant, told_seconds) is not null and occurred_at is null then 'its time is not a time'
        end as unread_reason
    from named
)

select
    {{ channel_row([
        'inbox_id', 'item_number', 'provider', 'source', 'event_id', 'provider_event', 'event_type', 'channel', 'recipient',
        'message_id', 'send_id', 'experiment_id', 'creative_id', 'decision_id', 'campaign_id', 'list_id', 'url',
        'is_said_machine', 'is_permanent', 'occurred_at', 'received_at', 'ingested_at', 'unread_reason',
    ]) }}
from read
