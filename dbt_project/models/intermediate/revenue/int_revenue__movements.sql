-- One row per person and month in which the person paid, or had paid the month before: how much, against the month before, and what
-- that is called. A month whose refunds exceed its orders counts as not paid; the excess is kept apart.

with

entries as (
    select * from {{ ref('int_revenue__entries') }} where amount is not null
),

user_months as (
    select
        user_id,
        month,
        {{ exact_total('amount') }} as net
    from entries
    group by user_id, month
),

first_paid as (
    select
        user_id,
        min(month) as first_month
    from user_months
    where net > 0
    group by user_id
),

-- Each month is looked at twice: as itself, and as the month before the next one.
looked as (
    select
        user_id,
        month,
        greatest(net, 0) as paid,
        0.0e0 as paid_before,
        least(net, 0) as excess_refunds
    from user_months
    union all
    select
        user_id,
        {{ months_after('month', 1) }} as month,
        0.0e0 as paid,
        net as paid_before,
        0.0e0 as excess_refunds
    from user_months
    where net > 0
),

months as (
    select
        user_id,
        month,
        sum(paid) as paid,
        sum(paid_before) as paid_before,
        sum(excess_refunds) as excess_refunds
    from looked
    group by user_id, month
)

select
    months.user_id,
    months.month,
    case
        when months.paid > 0 and months.month = first_paid.first_month then 'new'
        when months.paid > 0 and months.paid_before = 0 then 'reactivation'
        when months.paid > months.paid_before then 'expansion'
        when months.paid = 0 and months.paid_before > 0 then 'churn'
        when months.paid < months.paid_before then 'contraction'
        when months.paid > 0 then 'unchanged'
        else 'none'
    end as movement,
    months.paid_before,
    months.paid,
    months.paid - months.paid_before as change,
    months.excess_refunds
from months
left join first_paid on months.user_id = first_paid.user_id
