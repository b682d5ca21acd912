-- One row per Mailgun webhook: one event each. Its id is unique within a day only, so the day is part of the key. Deliveries are never
-- sent a second time by Mailgun: what was missed while the receiver was down has to be pulled from its logs.

{% set data = 'event-data' %}

with

inbox as (
    select * from {{ source('raw', 'inbox') }}
    where provider = 'mailgun'
),

fields as (
    select
        *,
        {{ json_part('body', [data]) }} as told,
        {{ json_at('body', [data, 'event']) }} as provider_event,
        {{ json_at('body', [data, 'id']) }} as provider_id,
        {{ json_at('body', [data, 'severity']) }} as severity,
        {{ json_at('body', [data, 'reason']) }} as reason,
        {{ json_at('body', [data, 'timestamp']) }} as told_time,
        {{ json_at('body', [data, 'recipient']) }} as recipient,
        {{ json_at('body', [data, 'message', 'headers', 'message-id']) }} as message_id,
        {{ json_at('body', [data, 'url']) }} as url,
        {{ json_at('body', [data, 'tags', 0]) }} as campaign_id,
        {{ json_at('body', [data, 'mailing-list', 'list-id']) }} as list_id,
        coalesce(
            nullif({{ json_at('body', [data, 'delivery-status', 'message']) }}, ''),
            nullif({{ json_at('body', [data, 'delivery-status', 'description']) }}, '')
        ) as detail,
        {{ json_at('body', [data, 'client-info', 'user-agent', 'marks']) }} as agent_marks,
        {{ json_at('body', [data, 'client-info', 'bot']) }} as bot,
        {% for name in ['send_id', 'experiment_id', 'creative_id', 'decision_id'] %}
            {{ carried_id('body', [data, 'user-variables'], name) }} as {{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from inbox
),

timed as (
    select
        *,
        {{ instant_of_seconds('told_time') }} as occurred_at
    from fields
),

read as (
    select
        *,
        0 as item_number,
        'email' as channel,
        case
            when provider_id is null then {{ sha256_of('cast(told as string)') }}
            else concat(coalesce(cast(cast(occurred_at as date) as string), 'undated'), '/', provider_id)
        end as given_id,
        case
            when provider_event = 'accepted' then 'queued'
            when provider_event in ('delivered', 'rejected', 'opened', 'clicked', 'unsubscribed', 'complained') then provider_event
            when provider_event = 'failed' and severity = 'temporary' then 'deferred'
            when provider_event = 'failed' and severity = 'permanent' then 'bounced'
            when provider_event = 'failed' then 'failed'
            else 'unknown'
        end as event_type,
        case
            when reason in ('suppress-bounce', 'bounce', 'hardfail') then 'bounced'
            when reason = 'suppress-complaint' then 'spam'
            when reason = 'suppress-unsubscribe' then 'unsubscribed'
            when reason = 'old' then 'timed_out'
            when provider_event in ('failed', 'rejected') then 'other'
        end as reject_reason,
        case when provider_event = 'failed' and severity in ('permanent', 'temporary') then severity = 'permanent' end as is_permanent,
        case when lower(bot) not in ('', 'none', 'false') then true end as is_said_machine,
        case
            when not {{ is_json_object('told') }} then 'there is no event-data'
            when provider_event is null then 'the event has no name'
            when told_time is not null and occurred_at is null then 'its time is not a time'
        end as unread_reason
    from timed
),

final as (
    select
        *,
        coalesce(given_id, inbox_id) as event_id
    from read
)

select
    {{ channel_row([
        'inbox_id', 'item_number', 'provider', 'source', 'event_id', 'provider_event', 'event_type', 'channel', 'recipient',
        'message_id', 'send_id', 'experiment_id', 'creative_id', 'decision_id', 'campaign_id', 'list_id', 'url', 'detail',
        'reject_reason', 'agent_marks', 'is_said_machine', 'is_permanent', 'occurred_at', 'received_at', 'ingested_at', 'unread_reason',
    ]) }}
from final
