-- One row per ISO week, rule, source and campaign: the share of the week's own conversions that the rule credits to it, beside what
-- the platform claims for itself. Rules are views of the same conversions and are never added; nor are claims of several platforms.

{% set rules = ['first', 'last', 'linear', 'position', 'time_decay'] %}

with

terms as (
    select * from {{ ref('int_growth_terms') }}
),

credits as (
    select * from {{ ref('int_channels__credits') }}
),

platforms as (
    select * from {{ ref('int_channels__daily') }} where level = 'campaign'
),

week_totals as (
    select
        week,
        count(*) as conversions
    from credits
    where place = 1
    group by week
),

-- Names by which own links know a platform's campaign.
linked as (
    select distinct
        source,
        campaign
    from credits
),

rules as (
    {% for rule in rules %}
        select '{{ rule }}' as rule
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

by_rule as (
    {% for rule in rules %}
        select
            '{{ rule }}' as rule,
            week,
            source,
            campaign,
            conversion_source,
            conversion_id,
            sum(credit_{{ rule }}) as credit,
            max(amount) as amount
        from credits
        group by week, source, campaign, conversion_source, conversion_id
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

credited as (
    select
        rule,
        week,
        source,
        campaign,
        {{ exact_total('credit') }} as credit,
        {{ exact_total('credit * credit') }} as credit_squared,
        {{ exact_total('credit * amount') }} as credited_revenue
    from by_rule
    group by rule, week, source, campaign
),

-- Own links name the platform's campaign by its id or by its name; each campaign is claimed for once, under the name the links use.
named as (
    select
        platforms.*,
        {{ week_of('platforms.day') }} as week,
        case
            when linked.campaign is not null then platforms.campaign_id
            else coalesce(platforms.campaign_name, platforms.campaign_id)
        end as campaign
    from platforms
    left join linked on platforms.provider = linked.source and platforms.campaign_id = linked.campaign
),

claimed as (
    select
        week,
        provider as source,
        campaign,
        {{ exact_total('conversions') }} as claimed_conversions,
        {{ exact_total('spend') }} as spend,
        case when count(distinct currency) = 1 then max(currency) end as currency
    from named
    group by week, provider, campaign
),

cells as (
    select distinct rule, week, source, campaign from credited
    union
    select
        rules.rule,
        claimed.week,
        claimed.source,
        claimed.campaign
    from claimed
    cross join rules
),

judged as (
    select
        cells.*,
        coalesce(week_totals.conversions, 0) as n,
        coalesce(credited.credit, 0) as credit,
        coalesce(credited.credited_revenue, 0) as credited_revenue,
        claimed.claimed_conversions,
        case when claimed.currency is not null then claimed.spend end as spend,
        claimed.currency as spend_currency,
        terms.min_people,
        terms.interval_z * {{ mean_error('week_totals.conversions', 'credited.credit', 'credited.credit_squared') }} as half_width,
        coalesce({{ days_after('cells.week', 7) }} <= terms.unseen_from, false) as is_mature
    from cells
    cross join terms
    left join week_totals on cells.week = week_totals.week
    left join credited
        on
            cells.rule = credited.rule
            and cells.week = credited.week
            and cells.source = credited.source
            and cells.campaign = credited.campaign
    left join claimed
        on cells.week = claimed.week and cells.source = claimed.source and cells.campaign = claimed.campaign
),

reasoned as (
    select
        *,
        n >= min_people as meets_min_sample,
        {{ withheld_reason('is_mature', 'n', 'min_people') }} as withheld_reason
    from judged
)

select
    week,
    rule,
    source,
    campaign,
    n,
    credit,
    credited_revenue,
    claimed_conversions,
    spend,
    spend_currency,
    case when withheld_reason is null then credit / n end as rate,
    case when withheld_reason is null then greatest(credit / n - coalesce(half_width, 0), 0) end as ci_low,
    case when withheld_reason is null then least(credit / n + coalesce(half_width, 0), 1) end as ci_high,
    case when withheld_reason is null then spend / nullif(credit, 0) end as cost_per_conversion,
    is_mature,
    meets_min_sample,
    withheld_reason
from reasoned
