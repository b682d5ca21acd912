-- One row per reading and campaign that Klaviyo reported, every version kept. It tells one value per
-- timeframe, so each day is a report of its own.

with

rows_read as (
    select * from {{ source('raw_klaviyo', 'campaign_values') }}
),

readings as (
    select * from {{ ref('stg_pulls__readings') }}
    where source = 'klaviyo_campaigns'
),

fields as (
    select
        reading_id,
        {{ json_at('item', ['groupings', 'campaign_id']) }} as campaign_id,
        concat(
            {{ json_at('item', ['groupings', 'campaign_message_id']) }}, '/', {{ json_at('item', ['groupings', 'send_channel']) }}
        ) as message_id,
        cast(null as string) as subject_line,
        try_cast({{ json_at('item', ['day']) }} as date) as day,
        cast(cast(try_cast({{ json_at('item', ['statistics', 'recipients']) }} as decimal(18, 6)) as double) as bigint) as recipients,
        cast(cast(try_cast({{ json_at('item', ['statistics', 'delivered']) }} as decimal(18, 6)) as double) as bigint) as delivered,
        cast(cast(try_cast({{ json_at('item', ['statistics', 'bounced']) }} as decimal(18, 6)) as double) as bigint) as bounces,
        cast(cast(try_cast({{ json_at('item', ['statistics', 'opens_unique']) }} as decimal(18, 6)) as double) as bigint) as opens,
        cast(cast(try_cast({{ json_at('item', ['statistics', 'clicks_unique']) }} as decimal(18, 6)) as double) as bigint) as clicks,
        cast(cast(try_cast({{ json_at('item', ['statistics', 'unsubscribes']) }} as decimal(18, 6)) as double) as bigint) as unsubscribes,
        cast(cast(try_cast({{ json_at('item', ['statistics', 'spam_complaints']) }} as decimal(18, 6)) as double) as bigint) as complaints,
        cast(try_cast({{ json_at('item', ['statistics', 'conversions']) }} as decimal(18, 6)) as double) as conversions,
        cast(try_cast({{ json_at('item', ['statistics', 'conversion_value']) }} as decimal(18, 6)) as double) as conversion_value
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
