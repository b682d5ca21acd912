-- One row per Postmark webhook: one event each. Only bounces and complaints carry an id. The message and the kind together are no key, they
-- would merge a person's second click with the first; the time with all its digits, the link and the device tell them apart.

with

inbox as (
    select * from {{ source('raw', 'inbox') }}
    where provider = 'postmark'
),

-- The recipient and the time have another name in each kind of event.
fields as (
    select
        *,
        {{ json_at('body', ['RecordType']) }} as provider_event,
        {{ json_at('body', ['Type']) }} as bounce_type,
        {{ json_at('body', ['ID']) }} as bounce_id,
        {{ json_at('body', ['MessageID']) }} as message_id,
        coalesce({{ json_at('body', ['Recipient']) }}, {{ json_at('body', ['Email']) }}) as recipient,
        coalesce(
            {{ json_at('body', ['DeliveredAt']) }},
            {{ json_at('body', ['BouncedAt']) }},
            {{ json_at('body', ['ReceivedAt']) }},
            {{ json_at('body', ['ChangedAt']) }}
        ) as told_time,
        {{ json_at('body', ['OriginalLink']) }} as url,
        {{ json_at('body', ['MessageStream']) }} as list_id,
        {{ json_at('body', ['Tag']) }} as campaign_id,
        coalesce({{ json_at('body', ['Description']) }}, {{ json_at('body', ['Details']) }}) as detail,
        {{ json_at('body', ['UserAgent', 'pseudonym']) }} as device,
        {{ json_at('body', ['UserAgent', 'marks']) }} as agent_marks,
        {{ json_at('body', ['Inactive']) }} as inactive,
        {{ json_at('body', ['SuppressSending']) }} as suppress_sending,
        {{ json_at('body', ['SuppressionReason']) }} as suppression_reason,
        {% for name in ['send_id', 'experiment_id', 'creative_id', 'decision_id'] %}
            {{ carried_id('body', ['Metadata'], name) }} as {{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from inbox
),

-- Read by the word in Type: tables of its number disagree with each other.
read as (
    select
        *,
        0 as item_number,
        'email' as channel,
        {{ digest_of([
            'provider_event', 'message_id', 'recipient', 'told_time', 'url', 'device', 'bounce_id', 'suppress_sending',
            'case when message_id is null then inbox_id end',
        ]) }} as event_id,
        case
            when provider_event = 'Delivery' then 'delivered'
            when provider_event = 'Open' then 'opened'
            when provider_event = 'Click' then 'clicked'
            when provider_event = 'SpamComplaint' then 'complained'
            when provider_event = 'SubscriptionChange' and suppress_sending = 'true' then 'unsubscribed'
            when provider_event = 'SubscriptionChange' and suppress_sending = 'false' then 'subscribed'
            when provider_event = 'Bounce' and bounce_type in ('Transient', 'DnsError') then 'deferred'
            when provider_event = 'Bounce' and bounce_type in ('BadEmailAddress', 'Blocked', 'DMARCPolicy') then 'rejected'
            when provider_event = 'Bounce' and bounce_type in ('SpamNotification', 'SpamComplaint') then 'complained'
            when provider_event = 'Bounce' and bounce_type = 'AutoResponder' then 'autoresponded'
            when provider_event = 'Bounce' and bounce_type = 'Unsubscribe' then 'unsubscribed'
            when provider_event = 'Bounce' and bounce_type = 'Subscribe' then 'subscribed'
            when provider_event = 'Bounce' then 'bounced'
            else 'unknown'
        end as event_type,
        case
            when bounce_type = 'BadEmailAddress' then 'invalid'
            when bounce_type in ('Blocked', 'DMARCPolicy') then 'blocked'
            when bounce_type in ('SpamNotification', 'SpamComplaint') or suppression_reason = 'SpamComplaint' then 'spam'
            when bounce_type in ('HardBounce', 'SoftBounce') or suppression_reason = 'HardBounce' then 'bounced'
            when suppression_reason = 'ManualSuppression' then 'unsubscribed'
            when provider_event = 'Bounce' then 'other'
        end as reject_reason,
        case
            when provider_event = 'Bounce' and (bounce_type = 'HardBounce' or inactive = 'true') then true
            when provider_event = 'Bounce' then false
        end as is_permanent,
        {{ instant_of_text('told_time') }} as occurred_at,
        case
            when not {{ is_json_object('body') }} then 'the event is no object'
            when provider_event is null then 'the event has no name'
            when told_time is not null and {{ instant_of_text('told_time') }} is null then 'its time is not a time'
        end as unread_reason
    from fields
)

select
    {{ channel_row([
        'inbox_id', 'item_number', 'provider', 'source', 'event_id', 'provider_event', 'event_type', 'channel', 'recipient',
        'message_id', 'send_id', 'experiment_id', 'creative_id', 'decision_id', 'campaign_id', 'list_id', 'url', 'detail',
        'reject_reason', 'agent_marks', 'is_permanent', 'occurred_at', 'received_at', 'ingested_at', 'unread_reason',
    ]) }}
from read
