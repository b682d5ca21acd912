-- One row per reading, entity and day that Google Ads reported, every version kept. A metric that it leaves out is zero (JSON of
-- protocol buffers); money is in millionths.

with

rows_read as (
    select * from {{ source('raw_google_ads', 'report_rows') }}
),

readings as (
    select * from {{ ref('stg_pulls__readings') }}
    where level in ('account', 'campaign', 'ad_set', 'ad')
),

fields as (
    select
        reading_id,
        {{ json_at('item', ['campaign', 'id']) }} as campaign_id,
        {{ json_at('item', ['campaign', 'name']) }} as campaign_name,
        {{ json_at('item', ['adGroup', 'id']) }} as ad_group_id,
        {{ json_at('item', ['adGroupAd', 'ad', 'id']) }} as ad_id,
        {{ json_at('item', ['customer', 'currencyCode']) }} as currency,
        try_cast({{ json_at('item', ['segments', 'date']) }} as date) as day,
        coalesce(try_cast({{ json_at('item', ['metrics', 'costMicros']) }} as bigint), 0) / cast(1000000 as double) as spend,
        coalesce(try_cast({{ json_at('item', ['metrics', 'impressions']) }} as bigint), 0) as impressions,
        coalesce(try_cast({{ json_at('item', ['metrics', 'clicks']) }} as bigint), 0) as clicks,
        coalesce(cast(try_cast({{ json_at('item', ['metrics', 'conversions']) }} as decimal(18, 6)) as double), 0) as conversions,
        coalesce(cast(try_cast({{ json_at('item', ['metrics', 'conversionsValue']) }} as decimal(18, 6)) as double), 0) as conversion_value
    from rows_read
)

select
    fields.reading_id as extraction_id,
    readings.provider,
    readings.account_id,
    readings.level,
    fields.campaign_id,
    fields.campaign_name,
    fields.ad_group_id as ad_set_id,
    fields.ad_id,
    cast(null as string) as breakdown,
    upper(fields.currency) as currency,
    readings.day,
    fields.spend,
    fields.impressions,
    fields.clicks,
    fields.conversions,
    fields.conversion_value,
    readings.extracted_at,
    readings.superseded_at
from fields
inner join readings on fields.reading_id = readings.reading_id and fields.day = readings.day
