-- One row per month (UTC) with revenue, or with people who had paid the month before: what last month's revenue became.

{% set movements = ['new', 'expansion', 'contraction', 'churn', 'reactivation'] %}

with

terms as (
    select * from {{ ref('int_growth_terms') }}
),

movements as (
    select * from {{ ref('int_revenue__movements') }}
),

entries as (
    select * from {{ ref('int_revenue__entries') }}
),

set_aside as (
    select
        month,
        max(reporting_currency) as currency,
        count(*) as entries,
        count(unconverted_reason) as unconverted,
        min(unconverted_reason) as unconverted_reason
    from entries
    group by month
),

reporting as (
    select max(reporting_currency) as currency from entries
),

months as (
    select
        month,
        count(case when paid > 0 then 1 end) as paying_people,
        count(case when paid_before > 0 then 1 end) as n,
        {{ exact_total('paid_before') }} as starting_revenue,
        {% for movement in movements %}
            {{ exact_total("case when movement = '" ~ movement ~ "' then change else 0 end") }} as {{ movement }}_revenue,
        {% endfor %}
        {{ exact_total('paid') }} as ending_revenue,
        {{ exact_total('excess_refunds') }} as excess_refunds,
        {{ exact_total('case when paid_before > 0 then paid else 0 end') }} as kept,
        {{ exact_total('least(paid, paid_before)') }} as kept_at_most,
        {{ exact_total('case when paid_before > 0 then paid * paid else 0 end') }} as kept_squared,
        {{ exact_total('power(least(paid, paid_before), 2)') }} as kept_at_most_squared,
        {{ exact_total('paid * paid_before') }} as kept_before,
        {{ exact_total('least(paid, paid_before) * paid_before') }} as kept_at_most_before,
        {{ exact_total('paid_before * paid_before') }} as before_squared
    from movements
    group by month
),

every_month as (
    select month from months
    union
    select month from set_aside
),

judged as (
    select
        every_month.month,
        reporting.currency,
        {% for name in ['paying_people', 'n'] %}
            coalesce(months.{{ name }}, 0) as {{ name }},
        {% endfor %}
        {% for name in ['starting', 'new', 'expansion', 'contraction', 'churn', 'reactivation', 'ending'] %}
            coalesce(months.{{ name }}_revenue, 0) as {{ name }}_revenue,
        {% endfor %}
        coalesce(months.excess_refunds, 0) as excess_refunds,
        coalesce(set_aside.entries, 0) as entries,
        coalesce(set_aside.unconverted, 0) as unconverted_entries,
        coalesce(before.unconverted, 0) as unconverted_before,
        coalesce(set_aside.unconverted_reason, before.unconverted_reason) as unconverted_reason,
        months.kept,
        months.kept_at_most,
        terms.interval_z * {{ ratio_error(
            'months.n', 'months.kept', 'months.starting_revenue', 'months.kept_squared', 'months.kept_before',
            'months.before_squared'
        ) }} as net_half_width,
        terms.interval_z * {{ ratio_error(
            'months.n', 'months.kept_at_most', 'months.starting_revenue', 'months.kept_at_most_squared',
            'months.kept_at_most_before', 'months.before_squared'
        ) }} as gross_half_width,
        terms.min_people,
        coalesce({{ months_after('every_month.month', 1) }} <= terms.unseen_from, false) as is_mature
    from every_month
    cross join terms
    cross join reporting
    left join months on every_month.month = months.month
    left join set_aside on every_month.month = set_aside.month
    left join set_aside as before on every_month.month = {{ months_after('before.month', 1) }}
    where every_month.month < terms.unseen_from
),

reasoned as (
    select
        *,
        n >= min_people as meets_min_sample,
        coalesce(
            {{ withheld_reason('is_mature', 'n', 'min_people') }},
            case
                when unconverted_entries + unconverted_before > 0
                    then concat(unconverted_entries + unconverted_before, ' entries without an amount: ', unconverted_reason)
            end
        ) as withheld_reason
    from judged
)

select
    month,
    currency,
    entries,
    unconverted_entries,
    paying_people,
    starting_revenue,
    new_revenue,
    expansion_revenue,
    contraction_revenue,
    churn_revenue,
    reactivation_revenue,
    ending_revenue,
    excess_refunds,
    ending_revenue + excess_refunds as net_revenue,
    n,
    case when withheld_reason is null then kept / nullif(starting_revenue, 0) end as rate,
    case when withheld_reason is null then kept / nullif(starting_revenue, 0) - net_half_width end as ci_low,
    case when withheld_reason is null then kept / nullif(starting_revenue, 0) + net_half_width end as ci_high,
    case when withheld_reason is null then kept_at_most / nullif(starting_revenue, 0) end as gross_rate,
    case when withheld_reason is null then kept_at_most / nullif(starting_revenue, 0) - gross_half_width end as gross_low,
    case when withheld_reason is null then kept_at_most / nullif(starting_revenue, 0) + gross_half_width end as gross_high,
    is_mature,
    meets_min_sample,
    withheld_reason
from reasoned
