-- One row per Customer.io reporting webhook: one event each. Whether the account reports every open and click or the first only is a
-- setting of the account that no event tells.

with

inbox as (
    select * from {{ source('raw', 'inbox') }}
    where provider = 'customerio'
),

fields as (
    select
        *,
        {{ json_at('body', ['metric']) }} as provider_event,
        {{ json_at('body', ['event_id']) }} as provider_id,
        {{ json_at('body', ['object_type']) }} as object_type,
        {{ json_at('body', ['timestamp']) }} as told_time,
        coalesce({{ json_at('body', ['data', 'recipient']) }}, {{ json_at('body', ['data', 'identifiers', 'email']) }}) as recipient,
        {{ json_at('body', ['data', 'delivery_id']) }} as message_id,
        {{ json_at('body', ['data', 'href']) }} as url,
        {{ json_at('body', ['data', 'failure_message']) }} as detail,
        coalesce(
            {{ json_at('body', ['data', 'campaign_id']) }},
            {{ json_at('body', ['data', 'broadcast_id']) }},
            {{ json_at('body', ['data', 'newsletter_id']) }}
        ) as campaign_id,
        {% for name in ['send_id', 'experiment_id', 'creative_id', 'decision_id'] %}
            {{ carried_id('body', ['data', 'trigger_event'], name) }} as {{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from inbox
),

read as (
    select
        *,
        0 as item_number,
        coalesce(provider_id, {{ sha256_of('cast(body as string)') }}) as event_id,
        case when object_type in ('email', 'push', 'sms', 'in_app', 'slack', 'webhook') then object_type else 'email' end as channel,
        case
            when provider_event in ('sent', 'delivered', 'deferred', 'opened', 'clicked', 'bounced', 'failed', 'unsubscribed', 'subscribed')
                then provider_event
            when provider_event in ('drafted', 'attempted') then 'queued'
            when provider_event = 'spammed' then 'complained'
            when provider_event = 'dropped' then 'rejected'
            else 'unknown'
        end as event_type,
        case
            when provider_event = 'bounced' then 'bounced'
            when provider_event in ('dropped', 'failed') then 'other'
        end as reject_reason,
        {{ instant_of_seconds('told_time') }} as occurred_at,
        case
            when not {{ is_json_object('body') }} then 'the event is no object'
            when provider_event is null then 'the event has no name'
            when told_time is not null and {{ instant_of_seconds('told_time') }} is null then 'its time is not a time'
        end as unread_reason
    from fields
)

select
    {{ channel_row([
        'inbox_id', 'item_number', 'provider', 'source', 'event_id', 'provider_event', 'event_type', 'channel', 'recipient',
        'message_id', 'send_id', 'experiment_id', 'creative_id', 'decision_id', 'campaign_id', 'url', 'detail', 'reject_reason',
        'occurred_at', 'received_at', 'ingested_at', 'unread_reason',
    ]) }}
from read
