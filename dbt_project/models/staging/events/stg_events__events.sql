-- One row per event, that is per (source, event_id): the one ingested first. Its time is corrected, and what no person did is labelled.
-- Nothing is dropped but duplicates, and those are counted: kept + duplicates = received. A view, so that history is not written twice;
-- filters on ingested_at and received_at reach raw.events, so that reading a day costs a day.

{% set product_events = [
    'Signed Up', 'Signed In', 'Account Created', 'Trial Started', 'Invite Sent', 'Feature Used', 'Page Viewed', 'Application Opened',
    'Product Viewed', 'Product Added', 'Cart Viewed', 'Checkout Started', 'Order Completed', 'Email Link Clicked',
    'SMS Link Clicked', 'Push Notification Tapped',
] %}
{% set channel_events = [
    'Email Sent', 'Email Delivered', 'Email Deferred', 'Email Opened', 'Email Bounced', 'Email Marked as Spam', 'Unsubscribed',
    'Subscribed', 'Account Deleted', 'Order Refunded', 'Order Cancelled', 'Trial Ended', 'Application Uninstalled', 'Application Crashed',
] %}
{% set known_versions = [1] %}
{% set robot = "\\bbot\\b|bot/|crawler|spider|scanner|prefetch|headless" %}

with

timed as (
    select * from {{ ref('stg_events__timed') }}
),

deliveries as (
    select * from {{ ref('stg_events__deliveries') }}
),

scanned as (
    select row_key from {{ ref('stg_events__scanned') }} where row_key is not null
),

aliases as (
    select * from {{ ref('stg_events__aliases') }}
),

described as (
    select
        timed.*,
        deliveries.delivered_at,
        deliveries.delivery_ingested_at,
        scanned.row_key is not null as is_scanned,
        coalesce(aliases.person_id, timed.user_id) as person_id,
        {{ json_text('timed.context', '$.userAgent') }} as user_agent
    from timed
    left join deliveries on timed.send_id = deliveries.send_id and timed.event_name = 'Email Link Clicked'
    left join scanned on timed.row_key = scanned.row_key and timed.event_name = 'Email Link Clicked'
    left join aliases on timed.user_id = aliases.user_id
),

labelled as (
    select
        *,
        case
            when {{ is_test_traffic('context') }} then 'test traffic'
            when is_machine then 'the source says so'
            when user_agent is not null and {{ text_matches("lower(user_agent)", robot) }} then 'user agent of a robot'
            when event_name = 'Email Opened' and user_agent = 'Mozilla/5.0' then 'user agent of a mail privacy proxy'
            when
                event_name = 'Email Link Clicked'
                and happened_at <= {{ time_after_seconds('delivered_at', policy('bot_click_seconds')) }}
                then 'clicked too soon after delivery'
            when is_scanned then 'clicked many links at once'
        end as bot_reason,
        schema_version in ({{ known_versions | join(', ') }}) as is_known_version
    from described
)

select
    event_id,
    source,
    user_id,
    person_id,
    anonymous_id,
    experiment_id,
    creative_id,
    send_id,
    import_id,
    row_key,

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
    is_known_version,
    coalesce(
        bot_reason is null
        and user_id is not null
        and is_known_version
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
    greatest(ingested_at, coalesce(delivery_ingested_at, ingested_at)) as settled_at
from labelled
