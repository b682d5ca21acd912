-- One row per provider, account, day, level and entity, and one per parent for what its parts do not explain: `unattributed`.
-- Every level adds up to the account, so spend is the same at any grain. A level a platform does not report for an account's day is the
-- sum of the next finer one: a history told by campaign may come before days that are told at every level.

{% set levels = ['account', 'campaign', 'ad_set', 'ad'] %}
{% set keys = {'account': "account_id", 'campaign': "campaign_id", 'ad_set': "ad_set_id", 'ad': "ad_id"} %}
{% set measures = ['spend', 'impressions', 'clicks', 'conversions', 'conversion_value'] %}
{% set total = {'spend': 'double', 'impressions': 'bigint', 'clicks': 'bigint', 'conversions': 'double', 'conversion_value': 'double'} %}

with

reported as (
    select * from {{ ref('int_channels__daily') }}
),

terms as (
    select
        interval_z,
        {{ policy('min_impressions') }} as min_impressions,
        cast({{ policy('channel_settle_days') }} as integer) as settle_days
    from {{ ref('int_growth_terms') }}
),

-- A platform may restate its days for a time of its own.
settled_after as (
    select
        name,
        cast(value as integer) as settle_days
    from {{ ref('policy') }}
),

-- From the finest level up: each level as reported, else as the sum of the one below. Where the platform reports the level of the day but
-- not the parent of a part, the parent counts 0, so that the part exceeds it and says so.
{% for level in levels | reverse %}
{{ level }}_reporters as (
    select distinct
        provider,
        account_id,
        day
    from reported
    where level = '{{ level }}'
),

{{ level }}_reported as (
    select
        provider,
        account_id,
        day,
        {{ "cast(null as string)" if level == 'account' else "campaign_id" }} as campaign_id,
        {{ "ad_set_id" if level in ['ad_set', 'ad'] else "cast(null as string)" }} as ad_set_id,
        {{ keys[level] }} as entity_id,
        campaign_name,
        currency,
        extracted_at as read_at,
        true as is_reported,
        {{ measures | join(', ') }}
    from reported
    where level = '{{ level }}'
),

{{ level }}_rows as (
    select * from {{ level }}_reported
    {% if level != 'ad' %}
        {% set finer_keys = {'account': ['account_id'], 'campaign': ['campaign_id'], 'ad_set': ['campaign_id', 'ad_set_id']}[level] %}
        union all
        select
            finer.provider,
            finer.account_id,
            finer.day,
            {{ "cast(null as string)" if level == 'account' else "finer.campaign_id" }} as campaign_id,
            {{ "finer.ad_set_id" if level == 'ad_set' else "cast(null as string)" }} as ad_set_id,
            finer.{{ keys[level] }} as entity_id,
            max(finer.campaign_name) as campaign_name,
            case when count(distinct finer.currency) = 1 then max(finer.currency) end as currency,
            min(finer.read_at) as read_at,
            false as is_reported,
            {% for measure in measures %}
                {% set part = "case when reporters.account_id is null then finer." ~ measure ~ " else 0 end" %}
                {{ exact_total(part) if total[measure] == 'double' else 'cast(sum(' ~ part ~ ') as bigint)' }} as {{ measure }}{{ ',' if not loop.last }}
            {% endfor %}
        from {{ levels[levels.index(level) + 1] }}_rows as finer
        left join {{ level }}_reporters as reporters
            on finer.provider = reporters.provider and finer.account_id = reporters.account_id and finer.day = reporters.day
        left join {{ level }}_reported as wholes
            on
                finer.provider = wholes.provider
                and finer.account_id = wholes.account_id
                and finer.day = wholes.day
                and finer.{{ keys[level] }} = wholes.entity_id
        where wholes.entity_id is null
        group by finer.provider, finer.account_id, finer.day{% for key in finer_keys if key != 'account_id' %}, finer.{{ key }}{% endfor %}
    {% endif %}
),

{% endfor %}
-- From the account down: what a level holds, and per parent what it does not; a remainder has no parts, so it is its own remainder below.
account_full as (
    select
        provider, account_id, day, 'account' as level, cast(null as string) as parent_id, entity_id, campaign_name, currency,
        read_at, is_reported, false as is_remainder, {{ measures | join(', ') }}
    from account_rows
),

{% for level in levels[1:] %}
{% set coarser = levels[loop.index0] %}
{% set parent = {'campaign': 'account_id', 'ad_set': 'campaign_id', 'ad': 'ad_set_id'}[level] %}
{{ level }}_shares as (
    select
        provider, account_id, day, {{ parent }} as parent_id, min(read_at) as read_at, {% for measure in measures %}
            {{ exact_total(measure) if total[measure] == 'double' else 'cast(sum(' ~ measure ~ ') as bigint)' }} as {{ measure }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ level }}_rows
    group by provider, account_id, day, {{ parent }}
),

{{ level }}_accounts as (
    select distinct provider, account_id from {{ level }}_rows
),

{{ level }}_full as (
    select
        provider, account_id, day, '{{ level }}' as level, {{ parent }} as parent_id, entity_id, campaign_name, currency,
        read_at, is_reported, false as is_remainder, {{ measures | join(', ') }}
    from {{ level }}_rows
    union all
    select
        parents.provider, parents.account_id, parents.day, '{{ level }}' as level,
        case when parents.is_remainder then concat('unattributed of ', parents.parent_id) else parents.entity_id end as parent_id,
        'unattributed' as entity_id,
        parents.campaign_name, parents.currency, least(parents.read_at, coalesce(parts.read_at, parents.read_at)) as read_at,
        false as is_reported, true as is_remainder,
        {% for measure in measures %}
            parents.{{ measure }} - coalesce(parts.{{ measure }}, 0) as {{ measure }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ coarser }}_full as parents
    inner join {{ level }}_accounts as accounts
        on parents.provider = accounts.provider and parents.account_id = accounts.account_id
    left join {{ level }}_shares as parts
        on
            parents.provider = parts.provider
            and parents.account_id = parts.account_id
            and parents.day = parts.day
            and parents.entity_id = parts.parent_id
            and not parents.is_remainder
),

{% endfor %}
every_level as (
    {% for level in levels %}
        select * from {{ level }}_full
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

judged as (
    select
        every_level.*,
        terms.interval_z,
        terms.min_impressions,
        every_level.impressions >= terms.min_impressions as meets_min_sample,
        {{ days_after('every_level.day', 'coalesce(settled_after.settle_days, terms.settle_days)') }}
        <= {{ days_after('cast(every_level.read_at as date)', 1) }} as is_mature,
        every_level.spend < -1e-6 or every_level.impressions < 0 or every_level.clicks < 0 as is_over_reported
    from every_level
    cross join terms
    left join settled_after on settled_after.name = concat('channel_settle_days_', every_level.provider)
),

reasoned as (
    select
        *,
        case
            when is_over_reported then 'the parts exceed the whole'
            when not is_mature then 'not mature: the platform may still restate the day'
            when impressions = 0 then 'nobody to count'
            when not meets_min_sample
                then concat('too few impressions: ', impressions, ' of ', cast(min_impressions as bigint))
            when clicks > impressions then 'more clicks than impressions'
        end as withheld_reason
    from judged
)

select
    provider,
    account_id,
    day,
    level,
    parent_id,
    entity_id,
    campaign_name,
    currency,
    is_reported,
    is_remainder,
    spend,
    impressions,
    clicks,
    conversions as claimed_conversions,
    conversion_value as claimed_value,
    impressions as n,
    case when withheld_reason is null then clicks / cast(impressions as double) end as rate,
    case when withheld_reason is null then {{ wilson_low('clicks', 'impressions', 'interval_z') }} end as ci_low,
    case when withheld_reason is null then {{ wilson_high('clicks', 'impressions', 'interval_z') }} end as ci_high,
    case when withheld_reason is null then spend / nullif(clicks, 0) end as cost_per_click,
    case when withheld_reason is null and conversions > 0 then spend / conversions end as cost_per_claimed_conversion,
    is_mature,
    meets_min_sample,
    withheld_reason
from reasoned
