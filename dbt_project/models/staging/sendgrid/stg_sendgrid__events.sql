-- One row per element of a SendGrid event webhook: an array, whose elements are of many messages and in no order.

with

inbox as (
    select * from {{ source('raw', 'inbox') }}
    where provider = 'sendgrid'
),

listed as (
    select
        *,
        {{ json_items('body') }} as items
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

-- Custom arguments stand at the top level, beside the provider's own names; a name of the provider's wins without a word.
fields as (
    select
        *,
        {{ json_at('item', ['event']) }} as provider_event,
        {{ json_at('item', ['email']) }} as recipient,
        {{ json_at('item', ['sg_event_id']) }} as sg_event_id,
        {{ json_at('item', ['sg_message_id']) }} as sg_message_id,
        {{ json_at('item', ['type']) }} as bounce_type,
        {{ json_at('item', ['timestamp']) }} as told_time,
        {{ json_at('item', ['url']) }} as url,
        {{ json_at('item', ['asm_group_id']) }} as list_id,
        {{ json_at('item', ['reason']) }} as reason,
        coalesce({{ json_at('item', ['reason']) }}, {{ json_at('item', ['response']) }}) as detail,
        coalesce(
            {{ json_at('item', ['marketing_campaign_id']) }}, {{ json_at('item', ['category', 0]) }}, {{ json_at('item', ['category']) }}
        ) as campaign_id,
        {% for name in ['send_id', 'experiment_id', 'creative_id', 'decision_id'] %}
            {{ carried_id('item', [], name) }} as {{ name }},
        {% endfor %}
        {{ json_at('item', ['useragent', 'marks']) }} as agent_marks,
        case when {{ json_at('item', ['sg_machine_open']) }} = 'true' then true end as is_said_machine
    from items
),

read as (
    select
        *,
        'email' as channel,
        coalesce(sg_event_id, {{ sha256_of('cast(item as string)') }}, {{ digest_of(['inbox_id']) }}) as event_id,
        split_part(sg_message_id, '.', 1) as message_id, -- the id that the send was answered with, before the filter's suffix
        case
            when provider_event = 'processed' then 'queued'
            when provider_event in ('delivered', 'deferred') then provider_event
            when provider_event = 'bounce' then 'bounced'
            when provider_event = 'dropped' then 'rejected'
            when provider_event = 'open' then 'opened'
            when provider_event = 'click' then 'clicked'
            when provider_event = 'spamreport' then 'complained'
            when provider_event in ('unsubscribe', 'group_unsubscribe') then 'unsubscribed'
            when provider_event = 'group_resubscribe' then 'subscribed'
            else 'unknown'
        end as event_type,
        case
            when provider_event = 'bounce' then case when bounce_type = 'blocked' then 'blocked' else 'bounced' end
            when provider_event = 'dropped' and lower(reason) like '%unsubscribe%' then 'unsubscribed'
            when provider_event = 'dropped' and lower(reason) like '%spam%' then 'spam'
            when provider_event = 'dropped' and lower(reason) like '%bounce%' then 'bounced'
            when provider_event = 'dropped' and lower(reason) like '%invalid%' then 'invalid'
            when provider_event = 'dropped' then 'other'
        end as reject_reason,
        case when provider_event = 'bounce' then coalesce(bounce_type, 'bounce') <> 'blocked' end as is_permanent,
        {{ instant_of_seconds('told_time') }} as occurred_at,
        case
            when item is null then 'the delivery holds no events'
            when not {{ is_json_object('item') }} then 'the event is no object'
            when provider_event is null then 'the event has no name'
            when told_time is not null and {{ instant_of_seconds('told_time') }} is null then 'its time is not a time'
        end as unread_reason
    from fields
)

select
    {{ channel_row([
        'inbox_id', 'item_number', 'provider', 'source', 'event_id', 'provider_event', 'event_type', 'channel', 'recipient',
        'message_id', 'send_id', 'experiment_id', 'creative_id', 'decision_id', 'campaign_id', 'list_id', 'url', 'detail',
        'reject_reason', 'agent_marks', 'is_said_machine', 'is_permanent', 'occurred_at', 'received_at', 'ingested_at', 'unread_reason',
    ]) }}
from read
