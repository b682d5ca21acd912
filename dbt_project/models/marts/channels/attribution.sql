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

days_read as (
    select
        provider,
        account_id,
        {{ week_of('day') }} as week,
        count(*) as days
    from {{ ref('int_channels__days_read') }}
    where level = 'campaign' and is_whole
    group by provider, account_id, {{ week_of('day') }}
),

-- Names change, ids do not: a campaign goes by the name it was last read with, else by its id.
borne as (
    select
        provider,
        campaign_id,
        campaign_name,
        row_number() over (partition by provider, campaign_id order by max(day) desc, campaign_name) as from_the_last,
        row_number() over (partition by provider, campaign_name order by max(day) desc, campaign_id) as bearer
    from platforms
    where campaign_name is not null
    group by provider, campaign_id, campaign_name
),

named as (
    select distinct
        platforms.provider,
        platforms.campaign_id,
        coalesce(borne.campaign_name, platforms.campaign_id) as campaign
    from platforms
    left join borne
        on platforms.provider = borne.provider and platforms.campaign_id = borne.campaign_id and borne.from_the_last = 1
),

-- Own links spell the platform's campaign by its id or by a name it has or had; whoever bore a name last is meant by it.
spellings as (
    select
        provider,
        campaign_id as spelling,
        campaign
    from named
    union all
    select
        borne.provider,
        borne.campaign_name as spelling,
        named.campaign
    from borne
    inner join named on borne.provider = named.provider and borne.campaign_id = named.campaign_id
    left join named as ids on borne.provider = ids.provider and borne.campaign_name = ids.campaign_id
    where borne.bearer = 1 and ids.campaign_id is null
),

spelled as (
    select
        credits.week,
        credits.source,
        coalesce(spellings.campaign, credits.campaign) as campaign,
        credits.conversion_source,
        credits.conversion_id,
        credits.amount,
        {% for rule in rules %}
            credits.credit_{{ rule }}{{ ',' if not loop.last }}
        {% endfor %}
    from credits
    left join spellings on credits.source = spellings.provider and credits.campaign = spellings.spelling
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
        from spelled
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

claimed as (
    select
        {{ week_of('platforms.day') }} as week,
        platforms.provider as source,
        named.campaign,
        {{ exact_total('platforms.conversions') }} as claimed_conversions,
        {{ exact_total('platforms.spend') }} as spend,
        count(distinct platforms.currency) as currencies,
        case when count(distinct platforms.currency) = 1 then max(platforms.currency) end as currency,
        cast(min(coalesce(days_read.days, 0)) as integer) as days_read
    from platforms
    inner join named on platforms.provider = named.provider and platforms.campaign_id = named.campaign_id
    left join days_read
        on
            platforms.provider = days_read.provider
            and platforms.account_id = days_read.account_id
            and {{ week_of('platforms.day') }} = days_read.week
    group by {{ week_of('platforms.day') }}, platforms.provider, named.campaign
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
        claimed.currencies,
        claimed.days_read,
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
),

-- A week's cost needs the platform's word of every day of it, beside what the share of the orders needs.
costed as (
    select
        *,
        case
            when withheld_reason is not null then withheld_reason
            when currencies is null then 'no platform reports the campaign in that week'
            when days_read < 7 then concat('not mature: ', 7 - days_read, ' of 7 days have not been read in full')
            when currencies = 0 then 'the platform does not tell the currency of its spend'
            when currencies > 1 then 'the campaign''s accounts spend different currencies'
            when spend is null then 'the platform tells no spend'
            when credit = 0 then 'no order is credited to the campaign'
        end as cost_withheld_reason
    from reasoned
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
    days_read,
    case when cost_withheld_reason is null then spend / credit end as cost_per_conversion,
    is_mature,
    meets_min_sample,
    withheld_reason,
    cost_withheld_reason
from costed
