-- One row per recipient of an event that Amazon SES published through SNS. An open or a click names no recipient and a complaint names
-- everybody at a domain: where the message had one recipient it is that one, else the recipient is unknown and the event stays one.

with

inbox as (
    select * from {{ source('raw', 'inbox') }}
    where provider = 'ses'
),

opened as (
    select
        *,
        {{ json_at('body', ['Type']) }} as envelope_type,
        {{ json_part('body', ['Message']) }} as message
    from inbox
),

-- Event publishing says eventType; the older notifications of an identity say notificationType.
named as (
    select
        *,
        coalesce({{ json_at('message', ['eventType']) }}, {{ json_at('message', ['notificationType']) }}) as provider_event
    from opened
),

addressed as (
    select
        *,
        case provider_event
            when 'Bounce' then {{ json_part('message', ['bounce', 'bouncedRecipients']) }}
            when 'Complaint' then {{ json_part('message', ['complaint', 'complainedRecipients']) }}
            when 'Delivery' then {{ json_part('message', ['delivery', 'recipients']) }}
            when 'DeliveryDelay' then {{ json_part('message', ['deliveryDelay', 'delayedRecipients']) }}
            else {{ json_part('message', ['mail', 'destination']) }}
        end as recipients
    from named
),

listed as (
    select
        *,
        {{ json_items(
            "case when provider_event in ('Open', 'Click', 'Complaint') and json_array_length(recipients) <> 1 then null else recipients end"
        ) }} as items
    from addressed
),

items as (
    select
        inbox_id,
        provider,
        source,
        received_at,
        ingested_at,
        envelope_type,
        message,
        provider_event,
        {{ each_of('items', 'item', 'item_number') }}
    from listed
),

fields as (
    select
        *,
        case when {{ is_json_object('item') }} then {{ json_at('item', ['emailAddress']) }} else {{ json_at('item', []) }} end as recipient,
        {{ json_at('message', ['mail', 'messageId']) }} as message_id,
        {{ json_at('message', ['bounce', 'bounceType']) }} as bounce_type,
        {{ json_at('message', ['bounce', 'bounceSubType']) }} as bounce_subtype,
        {{ json_at('message', ['click', 'link']) }} as url,
        {{ json_at('message', ['mail', 'tags', 'ses:configuration-set', 0]) }} as campaign_id,
        {{ json_at('message', ['subscription', 'contactList']) }} as list_id,
        -- Somebody who leaves one topic and joins another is taken at the first word.
        coalesce({{ json_at('message', ['subscription', 'newTopicPreferences', 'unsubscribeAll']) }} <> 'true', true)
        and coalesce(cast({{ json_part('message', ['subscription', 'newTopicPreferences']) }} as string) not like '%OptOut%', false)
        and coalesce(cast({{ json_part('message', ['subscription', 'newTopicPreferences']) }} as string) like '%OptIn%', false) as is_opt_in,
        coalesce(
            {{ json_at('item', ['diagnosticCode']) }},
            {{ json_at('message', ['delivery', 'smtpResponse']) }},
            {{ json_at('message', ['reject', 'reason']) }},
            {{ json_at('message', ['failure', 'errorMessage']) }},
            {{ json_at('message', ['deliveryDelay', 'delayType']) }},
            {{ json_at('message', ['complaint', 'complaintFeedbackType']) }}
        ) as detail,
        {% for name in ['send_id', 'experiment_id', 'decision_id'] %}
            {{ json_at('message', ['mail', 'tags', name, 0]) }} as {{ name }},
        {% endfor %}
        coalesce(
            {{ json_at('message', ['mail', 'tags', 'creative_id', 0]) }}, {{ json_at('message', ['mail', 'tags', 'variant_id', 0]) }}
        ) as creative_id,
        coalesce(
            {{ json_at('message', ['open', 'userAgent', 'marks']) }}, {{ json_at('message', ['click', 'userAgent', 'marks']) }}
        ) as agent_marks,
        coalesce(
            {% for object in ['bounce', 'complaint', 'delivery', 'open', 'click', 'deliveryDelay', 'subscription'] %}
                {{ json_at('message', [object, 'timestamp']) }},
            {% endfor %}
            {{ json_at('message', ['mail', 'timestamp']) }}
        ) as told_time
    from items
),

read as (
    select
        *,
        'email' as channel,
        {{ digest_of(['message_id', 'provider_event', 'recipient', 'told_time', 'url', 'case when message_id is null then inbox_id end']) }}
            as event_id,
        case provider_event
            when 'Send' then 'sent'
            when 'Delivery' then 'delivered'
            when 'DeliveryDelay' then 'deferred'
            when 'Bounce' then 'bounced'
            when 'Reject' then 'rejected'
            when 'Rendering Failure' then 'failed'
            when 'Open' then 'opened'
            when 'Click' then 'clicked'
            when 'Complaint' then 'complained'
            when 'Subscription' then case when is_opt_in then 'subscribed' else 'unsubscribed' end
            else 'unknown'
        end as event_type,
        case
            when bounce_subtype in ('Suppressed', 'OnAccountSuppressionList') then 'blocked'
            when bounce_subtype = 'NoEmail' then 'invalid'
            when provider_event = 'Bounce' then 'bounced'
            when provider_event = 'Reject' then 'other'
        end as reject_reason,
        case bounce_type when 'Permanent' then true when 'Transient' then false end as is_permanent,
        {{ instant_of_text('told_time') }} as occurred_at,
        case
            when envelope_type in ('SubscriptionConfirmation', 'UnsubscribeConfirmation') then concat(envelope_type, ' of the topic, no event')
            when not {{ is_json_object('message') }} then 'the message is no JSON object'
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
