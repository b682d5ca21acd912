-- One row per one-click unsubscription that was posted. The same link posted again is the same event: mailbox providers repeat themselves.

with

inbox as (
    select * from {{ source('raw', 'inbox') }}
    where provider = 'one_click'
),

read as (
    select
        inbox_id,
        provider,
        source,
        received_at,
        ingested_at,
        0 as item_number,
        'one_click' as provider_event,
        'unsubscribed' as event_type,
        'email' as channel,
        {{ json_at('body', ['person']) }} as recipient,
        {{ json_at('body', ['list_id']) }} as list_id,
        {{ json_at('body', ['send_id']) }} as send_id,
        received_at as occurred_at,
        case when {{ json_at('body', ['person']) }} is null then 'it names no person' end as unread_reason
    from inbox
),

final as (
    select
        *,
        {{ digest_of(['recipient', 'list_id', 'send_id']) }} as event_id
    from read
)

select
    {{ channel_row([
        'inbox_id', 'item_number', 'provider', 'source', 'event_id', 'provider_event', 'event_type', 'channel', 'recipient',
        'send_id', 'list_id', 'occurred_at', 'received_at', 'ingested_at', 'unread_reason',
    ]) }}
from final
