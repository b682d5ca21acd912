-- One row per reading, entity and day that LinkedIn reported, every version kept. Its campaign group is a campaign here. The
-- figures come without their currency, which LinkedIn tells of the account: it is known where the pull laid it beside them, else null.

with

rows_read as (
    select * from {{ source('raw_linkedin', 'analytics') }}
),

readings as (
    select * from {{ ref('stg_pulls__readings') }}
    where level in ('account', 'campaign', 'ad_set', 'ad')
),

fields as (
    select
        reading_id,
        replace({{ json_at('item', ['pivotValue']) }}, 'urn:li:sponsoredCampaignGroup:', '') as campaign_group_id,
        {{ json_at('item', ['currency']) }} as currency,
        try_cast({{ json_at('item', ['day']) }} as date) as day,
        cast(try_cast({{ json_at('item', ['costInLocalCurrency']) }} as decimal(18, 6)) as double) as spend,
        try_cast({{ json_at('item', ['impressions']) }} as bigint) as impressions,
        try_cast({{ json_at('item', ['clicks']) }} as bigint) as clicks,
        cast(try_cast({{ json_at('item', ['externalWebsiteConversions']) }} as decimal(18, 6)) as double) as conversions,
        cast(try_cast({{ json_at('item', ['conversionValueInLocalCurrency']) }} as decimal(18, 6)) as double) as conversion_value
    from rows_read
)

select
    fields.reading_id as extraction_id,
    readings.provider,
    readings.account_id,
    readings.level,
    case when readings.level = 'campaign' then fields.campaign_group_id end as campaign_id,
    cast(null as string) as campaign_name,
    cast(null as string) as ad_set_id,
    cast(null as string) as ad_id,
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
