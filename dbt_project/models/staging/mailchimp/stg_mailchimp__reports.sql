-- One row per reading and campaign that Mailchimp reported, every version kept. Totals since the send;
-- they are restated for weeks.

with

rows_read as (
    select * from {{ source('raw_mailchimp', 'reports') }}
),

readings as (
    select * from {{ ref('stg_pulls__readings') }}
    where source = 'mailchimp'
),

fields as (
    select
        reading_id,
        {{ json_at('item', ['id']) }} as campaign_id,
        cast(null as string) as message_id,
        {{ json_at('item', ['subject_line']) }} as subject_line,
        try_cast({{ json_at('item', ['day']) }} as date) as day,
        try_cast({{ json_at('item', ['emails_sent']) }} as bigint) as recipients,
        cast(null as bigint) as delivered,
        try_cast({{ json_at('item', ['bounces', 'hard_bounces']) }} as bigint)
        + try_cast({{ json_at('item', ['bounces', 'soft_bounces']) }} as bigint) as bounces,
        try_cast({{ json_at('item', ['opens', 'unique_opens']) }} as bigint) as opens,
        try_cast({{ json_at('item', ['clicks', 'unique_subscriber_clicks']) }} as bigint) as clicks,
        try_cast({{ json_at('item', ['unsubscribed']) }} as bigint) as unsubscribes,
        try_cast({{ json_at('item', ['abuse_reports']) }} as bigint) as complaints,
        cast(try_cast({{ json_at('item', ['ecommerce', 'total_orders']) }} as decimal(18, 6)) as double) as conversions,
        cast(try_cast({{ json_at('item', ['ecommerce', 'total_revenue']) }} as decimal(18, 6)) as double) as conversion_value
    from rows_read
)

select
    fields.reading_id as extraction_id,
    readings.provider,
    readings.account_id,
    fields.campaign_id,
    fields.message_id,
    fields.subject_line,
    readings.day,
    fields.recipients,
    fields.delivered,
    fields.bounces,
    fields.opens,
    fields.clicks,
    fields.unsubscribes,
    fields.complaints,
    fields.conversions,
    fields.conversion_value,
    readings.extracted_at,
    readings.superseded_at
from fields
inner join readings on fields.reading_id = readings.reading_id and fields.day = readings.day
