-- One row per version of a provider's daily aggregate at full grain, with the time in which it was the provider's word. What the
-- provider says now has no valid_until; what was known at an instant t: valid_from <= t and (valid_until is null or valid_until > t).

with

windows as (
    select * from {{ source('raw', 'channel_windows') }}
),

daily as (
    select * from {{ source('raw', 'channel_daily') }}
),

-- The next read of the same account's day ends a version, also where that read brought no rows at all.
lives as (
    select
        window_id,
        extracted_at as valid_from,
        lead(extracted_at) over (partition by provider, account_id, day order by extracted_at) as valid_until
    from windows
)

select
    daily.window_id,
    daily.provider,
    daily.account_id,
    daily.level,
    daily.campaign_id,
    daily.ad_set_id,
    daily.ad_id,
    daily.breakdown,
    daily.attribution,
    daily.currency,

    daily.impressions,
    daily.clicks,
    daily.cost,
    daily.conversions_claimed,
    daily.conversion_value_claimed,

    lives.valid_until is null as is_current,

    daily.day,
    lives.valid_from,
    lives.valid_until
from daily
inner join lives on daily.window_id = lives.window_id
