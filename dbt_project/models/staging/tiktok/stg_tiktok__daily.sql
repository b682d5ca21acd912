-- One row per reading, entity and day that TikTok reported, every version kept. It claims conversions without a value.

with

rows_read as (
    select * from {{ source('raw_tiktok', 'reports') }}
),

readings as (
    select * from {{ ref('stg_pulls__readings') }}
    where level in ('account', 'campaign', 'ad_set', 'ad')
),

fields as (
    select
        reading_id,
        coalesce({{ json_at('item', ['dimensions', 'campaign_id']) }}, {{ json_at('item', ['metrics', 'campaign_id']) }}) as campaign_id,
        {{ json_at('item', ['metrics', 'campaign_name']) }} as campaign_name,
        coalesce({{ json_at('item', ['dimensions', 'adgroup_id']) }}, {{ json_at('item', ['metrics', 'adgroup_id']) }}) as adgroup_id,
        {{ json_at('item', ['dimensions', 'ad_id']) }} as ad_id,
        {{ json_at('item', ['metrics', 'currency']) }} as currency,
        try_cast({{ json_at('item', ['day']) }} as date) as day,
        cast(try_cast({{ json_at('item', ['metrics', 'spend']) }} as decimal(18, 6)) as double) as spend,
        try_cast({{ json_at('item', ['metrics', 'impressions']) }} as bigint) as impressions,
        try_cast({{ json_at('item', ['metrics', 'clicks']) }} as bigint) as clicks,
        cast(try_cast({{ json_at('item', ['metrics', 'conversion']) }} as decimal(18, 6)) as double) as conversions,
        cast(null as double) as conversion_value
    from rows_read
)

select
    fields.reading_id as extraction_id,
    readings.provider,
    readings.account_id,
    readings.level,
    case when readings.level <> 'account' then fields.campaign_id end as campaign_id,
    case when readings.level <> 'account' then fields.campaign_name end as campaign_name,
    case when readings.level in ('ad_set', 'ad') then fields.adgroup_id end as ad_set_id,
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
