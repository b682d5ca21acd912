-- One row per reading, entity, day and breakdown that a platform reported, with the span in which the row was the truth: from its reading
-- until the next reading of the same account, level and day. Rows without superseded_at are today's truth; a past one is
-- extracted_at <= t and (superseded_at is null or superseded_at > t). What the next reading no longer held was withdrawn.

with

extractions as (
    select * from {{ source('raw', 'channel_extractions') }}
),

reported as (
    select * from {{ source('raw', 'channel_daily') }}
),

days_read as (
    select
        extraction_id,
        provider,
        account_id,
        level,
        first_day,
        extracted_at,
        {{ numbers_to(days_between('first_day', 'last_day')) }} as day_number
    from extractions
),

readings as (
    select
        extraction_id,
        provider,
        account_id,
        level,
        extracted_at,
        {{ days_after('first_day', 'day_number') }} as day
    from days_read
),

ordered as (
    select
        *,
        lead(extracted_at) over (
            partition by provider, account_id, level, day order by extracted_at, extraction_id
        ) as superseded_at
    from readings
)

select
    ordered.extraction_id,
    ordered.provider,
    ordered.account_id,
    ordered.level,
    reported.campaign_id,
    reported.campaign_name,
    reported.ad_set_id,
    reported.ad_id,
    reported.breakdown,
    upper(reported.currency) as currency,
    reported.day,
    cast(coalesce(reported.spend, 0) as double) as spend,
    coalesce(reported.impressions, 0) as impressions,
    coalesce(reported.clicks, 0) as clicks,
    reported.conversions,
    cast(reported.conversion_value as double) as conversion_value,
    ordered.extracted_at,
    ordered.superseded_at
from reported
inner join ordered on reported.extraction_id = ordered.extraction_id and reported.day = ordered.day
