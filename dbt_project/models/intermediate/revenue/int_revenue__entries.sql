-- One row per completed order and refund of a person: its amount in the reporting currency, or why it has none.
-- The reporting currency is that of the exchange rates; without any, the currency of most entries that tell one. A refund counts below zero however
-- its source signs it; an order below zero is a correction and stays so. Cancelled orders are no entries: shops refund them too.

{{ config(materialized=planned_once()) }}

with

told as (
    select * from {{ ref('int_revenue__told') }}
),

rates as (
    select * from {{ ref('stg_rates__exchange_rates') }}
),

currencies as (
    select
        currency,
        count(*) as entries
    from told
    group by currency
),

most_used as (
    select currency
    from (select currency, row_number() over (order by currency = 'XXX', entries desc, currency) as place from currencies) as ranked
    where place = 1
),

reporting as (
    select coalesce((select max(reporting_currency) from rates), (select max(currency) from most_used)) as reporting_currency
),

rated as (
    select
        told.*,
        reporting.reporting_currency,
        case when told.currency = reporting.reporting_currency then 1.0e0 else rates.rate end as rate
    from told
    cross join reporting
    left join rates
        on
            told.currency = rates.currency
            and cast(told.occurred_at as date) >= rates.valid_from
            and (rates.valid_until is null or cast(told.occurred_at as date) < rates.valid_until)
)

select
    source,
    event_id,
    user_id,
    told_by,
    currency,
    reporting_currency,
    case
        when value is null then 'no amount told'
        when rate is null and currency = 'XXX' then 'no currency told'
        when rate is null then 'no exchange rate for the currency on that day'
        when abs(value * rate) >= {{ largest_amount() }} then 'an amount too large to be true'
    end as unconverted_reason,
    is_refund,
    cast(value as double) as value,
    case when abs(value * rate) < {{ largest_amount() }} then cast(value as double) * rate end as amount,
    cast(occurred_at as date) as entered_on,
    {{ month_of('occurred_at') }} as month,
    occurred_at,
    ingested_at,
    settled_at
from rated
