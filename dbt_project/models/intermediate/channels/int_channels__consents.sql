-- One row per event that says whether somebody may be written to: unsubscriptions, complaints, permanent bounces, and consent given anew.
-- The latest word of a person, channel and list holds; a complaint and a permanent bounce speak for every list of the channel.

with

events as (
    select * from {{ ref('int_channels__events') }}
    where recipient is not null
),

words as (
    select
        *,
        case
            when event_type = 'subscribed' then 'allow'
            when event_type in ('unsubscribed', 'complained') then 'suppress'
            when event_type = 'bounced' and is_permanent then 'suppress'
        end as word,
        -- A one-click link may be used again after somebody had come back to the list: its last use is the word.
        case when provider = 'one_click' then last_received_at else occurred_at end as said_at
    from events
)

select
    provider,
    event_id,
    recipient,
    channel,
    case when event_type in ('complained', 'bounced') then null else list_id end as list_id,
    word,
    event_type as reason,
    row_number() over (
        partition by recipient, channel, case when event_type in ('complained', 'bounced') then null else list_id end
        order by said_at desc, received_at desc, provider, event_id
    ) = 1 as is_latest,
    said_at,
    ingested_at
from words
where word is not null
