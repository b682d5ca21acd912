-- One row per event that the receiver brought, in the columns of raw.events: product events, and what providers say of messages under
-- Segment's semantic names. Copies are still in it, as they are in raw.events; whoever reads it keeps one per (source, event_id).

{{ config(materialized=planned_once()) }}

with

product_events as (
    select * from {{ ref('stg_segment__events') }}
    where unread_reason is null
),

message_events as (
    {% for provider in message_providers() %}
        select
            *,
            {{ semantic_name('event_type', 'channel') }} as event_name,
            case
                when event_type = 'bounced' and is_permanent then 'permanent' when event_type = 'bounced' and not is_permanent then 'transient'
            end as bounce_type,
            case when event_type = 'clicked' then {{ sha256_of('url') }} end as link_id
        from {{ ref('stg_' ~ provider ~ '__events') }}
        where unread_reason is null
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

agents as (
    select * from {{ ref('machine_agents') }}
),

sends as (
    select
        send_id,
        min(user_id) as user_id,
        min(experiment_id) as experiment_id,
        min(creative_id) as creative_id
    from {{ ref('stg_ledger__sends') }}
    group by send_id
),

-- What a message's event says of itself is small: the rest stays in int_channels__events. What decides is said: whether a bounce was
-- permanent, and which link was clicked, as a digest (a scanner clicks many at once).
combined as (
    select
        event_id, source, type, event_name, user_id, anonymous_id, occurred_at, original_at, sent_at, received_at, ingested_at,
        experiment_id, creative_id, send_id, channel, cast(null as boolean) as is_said_machine, agent_marks, value, currency,
        properties, context, inbox_id, item_number
    from product_events
    union all
    select
        event_id, source, 'track' as type, event_name, recipient as user_id, cast(null as string) as anonymous_id,
        occurred_at, cast(null as timestamp) as original_at, cast(null as timestamp) as sent_at, received_at, ingested_at,
        experiment_id, creative_id, send_id, channel, is_said_machine, agent_marks, cast(null as decimal(18, 4)) as value,
        cast(null as string) as currency, {{ as_json(json_fields({
            'provider_event': 'provider_event', 'bounce_type': 'bounce_type', 'link_id': 'link_id'
        })) }} as properties,
        {{ as_json('null') }} as context, inbox_id, item_number
    from message_events
    where event_name is not null
),

marked as (
    select
        combined.inbox_id,
        combined.item_number
    from combined
    inner join agents
        on
            combined.agent_marks like concat('%"', agents.mark, '"%')
            and (not agents.only_opens or combined.event_name = 'Email Opened')
    where combined.agent_marks <> '[]'
    group by combined.inbox_id, combined.item_number
)

select
    combined.event_id,
    combined.source,
    combined.type,
    combined.event_name,
    coalesce(sends.user_id, combined.user_id) as user_id,
    combined.anonymous_id,
    combined.occurred_at,
    combined.original_at,
    combined.sent_at,
    combined.received_at,
    combined.ingested_at,
    coalesce(sends.experiment_id, combined.experiment_id) as experiment_id,
    coalesce(sends.creative_id, combined.creative_id) as creative_id,
    combined.send_id,
    combined.channel,
    case when marked.inbox_id is not null or combined.is_said_machine then true end as is_machine,
    combined.value,
    combined.currency,
    combined.properties,
    combined.context,
    1 as schema_version,
    concat(combined.inbox_id, '/', combined.item_number) as import_id
from combined
left join sends on combined.send_id = sends.send_id
left join marked on combined.inbox_id = marked.inbox_id and combined.item_number = marked.item_number
