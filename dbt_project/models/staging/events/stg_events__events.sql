-- One row per event, that is per (source, event_id): the one ingested first. Its time is corrected, and what no person did is labelled.
-- Nothing is dropped but duplicates, and those are counted: kept + duplicates = received.

{{ config(materialized='table') }}

{% set product_events = [
    'Signed Up', 'Signed In', 'Account Created', 'Trial Started', 'Invite Sent', 'Feature Used', 'Page Viewed', 'Application Opened',
    'Product Viewed', 'Product Added', 'Cart Viewed', 'Checkout Started', 'Order Completed', 'Email Link Clicked',
    'SMS Link Clicked', 'Push Notification Tapped',
] %}
{% set channel_events = [
    'Email Sent', 'Email Delivered', 'Email Deferred', 'Email Opened', 'Email Bounced', 'Email Marked as Spam', 'Unsubscribed',
    'Subscribed', 'Account Deleted', 'Order Refunded', 'Order Cancelled', 'Trial Ended',
] %}
{% set robot = "\\bbot\\b|bot/|crawler|spider|scanner|prefetch|headless" %}

with

received as (
    select * from {{ source('raw', 'events') }}
),

-- Only what came more than once is put in order: numbering every event would double the cost of the model.
repeated as (
    select
        source,
        event_id,
        count(*) - 1 as duplicates
    from received
    group by source, event_id
    having count(*) > 1
),

copies as (
    select
        received.*,
        repeated.duplicates,
        row_number() over (
            partition by received.source, received.event_id
            order by
                received.ingested_at, received.received_at, received.import_id, received.sent_at, received.original_at,
                received.event_name, received.user_id, received.creative_id, received.value
        ) as arrival
    from received
    inner join repeated on received.source = repeated.source and received.event_id = repeated.event_id
),

kept as (
    select
        received.*,
        0 as duplicates,
        1 as arrival
    from received
    left join repeated on received.source = repeated.source and received.event_id = repeated.event_id
    where repeated.event_id is null
    union all
    select * from copies
    where arrival = 1
),

described as (
    select
        *,
        coalesce(occurred_at, received_at - (sent_at - original_at), received_at) as said_at,
        {{ json_text('context', '$.userAgent') }} as user_agent
    from kept
),

clocked as (
    select
        *,
        case
            when said_at < timestamp '2000-01-01 00:00:00' then 'before 2000'
            when said_at > {{ time_after_days('received_at', 1) }} then 'more than a day after it was received'
        end as clock_reason
    from described
),

timed as (
    select
        *,
        case when clock_reason is null then said_at else received_at end as happened_at
    from clocked
),

deliveries as (
    select
        send_id,
        min(happened_at) as delivered_at,
        max(ingested_at) as delivery_ingested_at
    from timed
    where event_name = 'Email Delivered' and send_id is not null
    group by send_id
),

labelled as (
    select
        timed.*,
        deliveries.delivery_ingested_at,
        case
            when lower({{ json_text('timed.context', '$.test') }}) = 'true' then 'test traffic'
            when timed.is_machine then 'the source says so'
            when {{ text_matches("lower(timed.user_agent)", robot) }} then 'user agent of a robot'
            when timed.event_name = 'Email Opened' and timed.user_agent = 'Mozilla/5.0' then 'user agent of a mail privacy proxy'
            when
                timed.event_name = 'Email Link Clicked'
                and timed.happened_at
                <= {{ time_after_seconds('deliveries.delivered_at', policy('bot_click_seconds')) }}
                then 'clicked too soon after delivery'
        end as bot_reason
    from timed
    left join deliveries on timed.send_id = deliveries.send_id and timed.event_name = 'Email Link Clicked'
)

select
    event_id,
    source,
    user_id,
    anonymous_id,
    experiment_id,
    creative_id,
    send_id,
    import_id,

    type,
    event_name,
    channel,
    currency,
    bot_reason,
    clock_reason,

    value,
    schema_version,
    duplicates,

    properties,
    context,

    bot_reason is not null as is_bot,
    bot_reason is null as is_human,
    clock_reason is not null as is_clock_suspect,
    coalesce(
        bot_reason is null
        and user_id is not null
        and (
            type in ('page', 'screen')
            or (type = 'track' and event_name in ('{{ product_events | join("', '") }}'))
            or (
                type = 'track'
                and coalesce(channel, 'web') = 'web'
                and event_name not in ('{{ channel_events | join("', '") }}')
            )
        ), false
    ) as is_activity,

    happened_at as occurred_at,
    received_at,
    ingested_at,
    greatest(ingested_at, delivery_ingested_at) as settled_at
from labelled
