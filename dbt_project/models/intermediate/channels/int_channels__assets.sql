-- One row per reading, ad, part of its creative and day: which words and pictures were shown how often, every version kept. Parts of
-- different kinds overlap, so they are compared within a kind and never added over kinds.

{% set reports = ['stg_meta__assets', 'stg_google_ads__assets'] %}

with

reported as (
    {% for report in reports %}
        select
            extraction_id,
            provider,
            account_id,
            campaign_id,
            ad_set_id,
            ad_id,
            part,
            asset_id,
            asset_text,
            day,
            spend,
            impressions,
            clicks,
            extracted_at,
            superseded_at
        from {{ ref(report) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select * from reported
