-- One row per reading and campaign that an email platform reported, every version kept. Signals beside our own events: platforms claim
-- conversions for themselves and count machines among those who open.

{% set reports = ['stg_klaviyo__campaign_values', 'stg_mailchimp__reports'] %}

with

reported as (
    {% for report in reports %}
        select
            extraction_id,
            provider,
            account_id,
            campaign_id,
            message_id,
            subject_line,
            day,
            recipients,
            delivered,
            bounces,
            opens,
            clicks,
            unsubscribes,
            complaints,
            conversions,
            conversion_value,
            extracted_at,
            superseded_at
        from {{ ref(report) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select * from reported
