-- One row per version of a provider's daily aggregate at full grain, with the span in which it was the truth: from its reading until the
-- next reading of the same account, level and day. Rows without superseded_at are today's truth; what was known at an instant t:
-- extracted_at <= t and (superseded_at is null or superseded_at > t). What the next reading no longer held was withdrawn.

with

windows as (
    select * from {{ source('raw', 'channel_windows') }}
),

daily as (
    select * from {{ source('raw', 'channel_daily') }}
),

-- The next reading ends a version, also where it brought no rows at all.
lives as (
    select
        window_id,
        extracted_at,
        lead(extracted_at) over (
            partition by provider, account_id, level, day order by extracted_at, window_id
        ) as superseded_at
    from windows
)

select
    daily.window_id,
    daily.provider,
    daily.account_id,
    daily.level,
    daily.campaign_id,
    daily.campaign_name,
    daily.ad_set_id,
    daily.ad_id,
    daily.breakdown,
    daily.attribution,
    upper(daily.currency) as currency,
    daily.day,
    cast(coalesce(daily.cost, 0) as double) as spend,
    coalesce(daily.impressions, 0) as impressions,
    coalesce(daily.clicks, 0) as clicks,
    daily.conversions_claimed as conversions,
    daily.conversion_value_claimed as conversion_value,
    lives.extracted_at,
    lives.superseded_at
from daily
inner join lives on daily.window_id = lives.window_id
