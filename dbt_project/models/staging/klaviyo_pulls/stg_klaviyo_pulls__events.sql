-- One row per event that Klaviyo told when it was asked, in the shape of webhooks' events. Its id is Klaviyo's own for the event; a
-- webhook numbers the same event otherwise, so an account is either pulled or pushed.

{% set properties = ['attributes', 'event_properties'] %}

with

rows_read as (
    select * from {{ source('raw_klaviyo', 'events') }}
),

fields as (
    select
        row_id as inbox_id,
        0 as item_number,
        'klaviyo' as provider,
        concat('klaviyo/', account_id) as source,
        {{ json_at('item', ['id']) }} as event_id,
        lower(replace({{ json_at('item', ['metric', 'name']) }}, ' ', '_')) as provider_event,
        coalesce({{ json_at('item', ['profile', 'email']) }}, {{ json_at('item', ['profile', 'id']) }}) as recipient,
        {{ json_at('item', properties + ['$message']) }} as message_id,
        {% for name in ['send_id', 'experiment_id', 'creative_id', 'decision_id'] %}
            {{ carried_id('item', properties, name) }} as {{ name }},
        {% endfor %}
        {{ json_at('item', properties + ['Campaign Name']) }} as campaign_id,
        {{ json_at('item', properties + ['List']) }} as list_id,
        {{ json_at('item', properties + ['URL']) }} as url,
        {{ json_at('item', properties + ['machine_open']) }} as machine_open,
        {{ instant_of_text(json_at('item', ['attributes', 'datetime'])) }} as occurred_at,
        extracted_at
    from rows_read
),

read as (
    select
        *,
        {{ klaviyo_event_type('provider_event') }} as event_type,
        {{ klaviyo_channel('provider_event') }} as channel,
        case when lower(machine_open) = 'true' then true end as is_said_machine,
        extracted_at as received_at,
        extracted_at as ingested_at,
        case when provider_event is null then 'the event has no name' end as unread_reason
    from fields
)

select
    {{ channel_row([
        'inbox_id', 'item_number', 'provider', 'source', 'event_id', 'provider_event', 'event_type', 'channel', 'recipient',
        'message_id', 'send_id', 'experiment_id', 'creative_id', 'decision_id', 'campaign_id', 'list_id', 'url',
        'is_said_machine', 'occurred_at', 'received_at', 'ingested_at', 'unread_reason',
    ]) }}
from read
