-- One row per event of a message, whoever sent the message: the copy that was ingested first, later ones counted. What no person did is
-- labelled with the reason, never dropped; where nothing is known of it, is_machine is null, which is not false.

with

staged as (
    {% for provider in message_providers() %}
        select * from {{ ref('stg_' ~ provider ~ '__events') }}
        where unread_reason is null
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

agents as (
    select * from {{ ref('machine_agents') }}
),

copies as (
    select
        *,
        row_number() over (
            partition by provider, event_id order by ingested_at, received_at, inbox_id, item_number
        ) as arrival,
        count(*) over (partition by provider, event_id) - 1 as duplicates,
        max(received_at) over (partition by provider, event_id) as last_received_at
    from staged
),

timed as (
    select
        *,
        case
            when occurred_at is null then 'the provider tells no time'
            when occurred_at < timestamp '2000-01-01 00:00:00' then 'before 2000'
            when occurred_at > {{ time_after_days('received_at', 1) }} then 'more than a day after it was received'
        end as clock_reason,
        coalesce(send_id, message_id) as message_key
    from copies
    where arrival = 1
),

happened as (
    select
        *,
        case when clock_reason is null then occurred_at else received_at end as happened_at
    from timed
),

deliveries as (
    select
        provider,
        message_key,
        min(happened_at) as delivered_at
    from happened
    where event_type = 'delivered' and message_key is not null and clock_reason is null
    group by provider, message_key
),

-- A scanner follows every link of a message at once.
first_clicks as (
    select
        provider,
        message_key,
        recipient,
        min(happened_at) as first_at
    from happened
    where event_type = 'clicked' and message_key is not null
    group by provider, message_key, recipient
),

bursts as (
    select
        first_clicks.provider,
        first_clicks.message_key,
        first_clicks.recipient,
        first_clicks.first_at,
        count(distinct happened.url) as links
    from first_clicks
    inner join happened
        on
            first_clicks.provider = happened.provider
            and first_clicks.message_key = happened.message_key
            and first_clicks.recipient is not distinct from happened.recipient
    where
        happened.event_type = 'clicked'
        and happened.happened_at <= {{ time_after_seconds('first_clicks.first_at', policy('bot_click_seconds')) }}
    group by first_clicks.provider, first_clicks.message_key, first_clicks.recipient, first_clicks.first_at
),

marked as (
    select
        happened.provider,
        happened.event_id,
        min(agents.reason) as agent_reason
    from happened
    inner join agents
        on
            happened.agent_marks like concat('%"', agents.mark, '"%')
            and (not agents.only_opens or happened.event_type = 'opened')
    where happened.agent_marks <> '[]'
    group by happened.provider, happened.event_id
),

labelled as (
    select
        happened.*,
        case
            when happened.is_said_machine then 'the provider says so'
            when marked.agent_reason is not null then marked.agent_reason
            when
                happened.event_type = 'clicked'
                and happened.clock_reason is null
                and happened.happened_at <= {{ time_after_seconds('deliveries.delivered_at', policy('bot_click_seconds')) }}
                then 'clicked too soon after delivery'
            when
                happened.event_type = 'clicked'
                and bursts.links >= {{ policy('bot_links_at_once') }}
                and happened.happened_at <= {{ time_after_seconds('bursts.first_at', policy('bot_click_seconds')) }}
                then 'clicked many links at once'
        end as machine_reason
    from happened
    left join marked on happened.provider = marked.provider and happened.event_id = marked.event_id
    left join deliveries on happened.provider = deliveries.provider and happened.message_key = deliveries.message_key
    left join bursts
        on
            happened.provider = bursts.provider
            and happened.message_key = bursts.message_key
            and happened.recipient is not distinct from bursts.recipient
)

select
    provider,
    event_id,
    source,
    inbox_id,
    item_number,
    recipient,
    message_id,
    send_id,
    experiment_id,
    creative_id,
    decision_id,
    campaign_id,
    list_id,
    channel,
    event_type,
    {{ semantic_name('event_type', 'channel') }} as event_name,
    provider_event,
    url,
    detail,
    reject_reason,
    machine_reason,
    clock_reason,
    cast(duplicates as integer) as duplicates,
    case when machine_reason is not null then true end as is_machine,
    is_permanent,
    happened_at as occurred_at,
    received_at,
    last_received_at,
    ingested_at
from labelled
