-- One row per reading, ad, part of its creative and day that Meta reported, every version kept. Parts of different kinds overlap: the
-- same impression showed a title and a body.

with

rows_read as (
    select * from {{ source('raw_meta', 'insights') }}
),

readings as (
    select * from {{ ref('stg_pulls__readings') }}
    where level = 'asset'
),

fields as (
    select
        reading_id,
        {{ json_at('item', ['campaign_id']) }} as campaign_id,
        {{ json_at('item', ['adset_id']) }} as ad_set_id,
        {{ json_at('item', ['ad_id']) }} as ad_id,
        replace(stream, '_asset', '') as part,
        coalesce(
            {{ json_at('item', ['title_asset', 'id']) }}, {{ json_at('item', ['body_asset', 'id']) }}, {{ json_at('item', ['image_asset', 'id']) }}
        ) as asset_id,
        coalesce({{ json_at('item', ['title_asset', 'text']) }}, {{ json_at('item', ['body_asset', 'text']) }}) as asset_text,
        try_cast({{ json_at('item', ['date_start']) }} as date) as day,
        cast(try_cast({{ json_at('item', ['spend']) }} as decimal(18, 6)) as double) as spend,
        try_cast({{ json_at('item', ['impressions']) }} as bigint) as impressions,
        try_cast({{ json_at('item', ['clicks']) }} as bigint) as clicks
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
