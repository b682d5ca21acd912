-- One row per status callback of Twilio. Callbacks tell no time and come in any order; what a message came to is read from the set of
-- its events, so a late `sent` after `delivered` changes nothing. Our own ids come back in the query of the callback's address.

with

inbox as (
    select * from {{ source('raw', 'inbox') }}
    where provider = 'twilio'
),

fields as (
    select
        *,
        coalesce({{ json_at('body', ['MessageStatus']) }}, {{ json_at('body', ['SmsStatus']) }}) as provider_event,
        coalesce({{ json_at('body', ['MessageSid']) }}, {{ json_at('body', ['SmsSid']) }}) as message_id,
        {{ json_at('body', ['To']) }} as recipient,
        {{ json_at('body', ['ErrorCode']) }} as detail,
        {{ json_at('headers', ['query']) }} as query
    from inbox
),

read as (
    select
        *,
        0 as item_number,
        'sms' as channel,
        {% for name, given in [
            ('send_id', 'send_id'), ('experiment_id', 'experiment_id'), ('creative_id', '(?:creative|variant)_id'), ('decision_id', 'decision_id'),
        ] %}
            nullif(regexp_extract(query, '(?:^|&){{ given }}=([^&]*)', 1), '') as {{ name }},
        {% endfor %}
        {{ digest_of(['message_id', 'provider_event', 'case when message_id is null then inbox_id end']) }} as event_id,
        case
            when provider_event in ('accepted', 'scheduled', 'queued', 'sending') then 'queued'
            when provider_event in ('sent', 'delivered', 'failed') then provider_event
            when provider_event = 'undelivered' then 'bounced'
            when provider_event = 'read' then 'opened'
            when provider_event = 'canceled' then 'rejected'
            else 'unknown'
        end as event_type,
        case when detail = '21610' then 'unsubscribed' when provider_event in ('failed', 'undelivered') then 'other' end as reject_reason,
        case
            when not {{ is_json_object('body') }} then 'the callback is no form'
            when provider_event is null then 'the event has no name'
        end as unread_reason
    from fields
),

final as (
    select
        *,
        cast(null as timestamp) as occurred_at
    from read
)

select
    {{ channel_row([
        'inbox_id', 'item_number', 'provider', 'source', 'event_id', 'provider_event', 'event_type', 'channel', 'recipient',
        'message_id', 'send_id', 'experiment_id', 'creative_id', 'decision_id', 'detail', 'reject_reason', 'occurred_at',
        'received_at', 'ingested_at', 'unread_reason',
    ]) }}
from final
