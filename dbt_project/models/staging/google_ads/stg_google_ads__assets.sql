-- One row per reading, ad, part of its creative and day that Google Ads reported, every version kept. Zeros are left out there.

with

rows_read as (
    select * from {{ source('raw_google_ads', 'report_rows') }}
),

readings as (
    select * from {{ ref('stg_pulls__readings') }}
    where level = 'asset'
),

fields as (
    select
        reading_id,
        {{ json_at('item', ['campaign', 'id']) }} as campaign_id,
        {{ json_at('item', ['adGroup', 'id']) }} as ad_set_id,
        {{ json_at('item', ['adGroupAd', 'ad', 'id']) }} as ad_id,
        lower({{ json_at('item', ['adGroupAdAssetView', 'fieldType']) }}) as part,
        {{ json_at('item', ['adGroupAdAssetView', 'resourceName']) }} as asset_id,
        {{ json_at('item', ['asset', 'textAsset', 'text']) }} as asset_text,
        try_cast({{ json_at('item', ['segments', 'date']) }} as date) as day,
        coalesce(try_cast({{ json_at('item', ['metrics', 'costMicros']) }} as bigint), 0) / cast(1000000 as double) as spend,
        coalesce(try_cast({{ json_at('item', ['metrics', 'impressions']) }} as bigint), 0) as impressions,
        coalesce(try_cast({{ json_at('item', ['metrics', 'clicks']) }} as bigint), 0) as clicks
    from rows_read
)

select
    fields.reading_id as extraction_id,
    readings.provider,
    readings.account_id,
    fields.campaign_id,
    fields.ad_set_id,
    fields.ad_id,
    fields.part,
    fields.asset_id,
    fields.asset_text,
    readings.day,
    fields.spend,
    fields.impressions,
    fields.clicks,
    readings.extracted_at,
    readings.superseded_at
from fields
inner join readings on fields.reading_id = readings.reading_id and fields.day = readings.day
