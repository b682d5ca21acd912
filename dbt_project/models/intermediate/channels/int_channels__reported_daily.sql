-- One row per reading, entity and day that an advertising platform was asked for: the pulled platforms in one shape, every version kept.
-- Levels overlap and are never added up.

{% set reports = ['stg_meta__daily', 'stg_google_ads__daily', 'stg_tiktok__daily', 'stg_linkedin__daily'] %}

with

reported as (
    {% for report in reports %}
        select
            extraction_id,
            provider,
            account_id,
            level,
            campaign_id,
            campaign_name,
            ad_set_id,
            ad_id,
            breakdown,
            currency,
            day,
            spend,
            impressions,
            clicks,
            conversions,
            conversion_value,
            extracted_at,
            superseded_at
        from {{ ref(report) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select * from reported
