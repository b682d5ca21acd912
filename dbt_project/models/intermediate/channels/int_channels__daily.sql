-- One row per provider, account, level, entity and day as the platforms report it today: the one shape that everything after reads.
-- A further provider's staging is a further `union all` of the same columns. A day that came in a file and was pulled too is taken from
-- the later of the two. Breakdowns are summed; a sum over levels would count the same money several times.

with

reported as (
    {% for told in ['stg_channels__daily', 'int_channels__reported_daily'] %}
        select
            provider,
            account_id,
            level,
            campaign_id,
            campaign_name,
            ad_set_id,
            ad_id,
            currency,
            day,
            spend,
            impressions,
            clicks,
            conversions,
            conversion_value,
            extracted_at,
            '{{ told }}' as told_by
        from {{ ref(told) }}
        where superseded_at is null
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- Who told a day last, all its entities included: a pull reads the streams of one level one after another.
latest as (
    select
        *,
        first_value(told_by) over (partition by provider, account_id, level, day order by extracted_at desc, told_by) as told_last_by
    from reported
),

entities as (
    select
        provider,
        account_id,
        level,
        day,
        campaign_id,
        case when level in ('ad_set', 'ad') then ad_set_id end as ad_set_id,
        case when level = 'ad' then ad_id end as ad_id,
        max(campaign_name) as campaign_name,
        case when count(distinct currency) = 1 then max(currency) end as currency,
        {{ exact_total('spend') }} as spend,
        cast(sum(impressions) as bigint) as impressions,
        cast(sum(clicks) as bigint) as clicks,
        {{ exact_total('conversions') }} as conversions,
        {{ exact_total('conversion_value') }} as conversion_value,
        max(extracted_at) as extracted_at
    from latest
    where told_by = told_last_by
    group by
        provider, account_id, level, day, campaign_id,
        case when level in ('ad_set', 'ad') then ad_set_id end,
        case when level = 'ad' then ad_id end
)

select
    provider,
    account_id,
    level,
    campaign_id,
    campaign_name,
    ad_set_id,
    ad_id,
    currency,
    day,
    spend,
    impressions,
    clicks,
    conversions,
    conversion_value,
    extracted_at
from entities
