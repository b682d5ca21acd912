-- One row per currency and span of days for which a rate holds: the last word on each start, until the next start.
-- All rates are into one currency, that of the rate told last; rates into another one are left out.

with

told as (
    select
        upper(trim(currency)) as currency,
        upper(trim(reporting_currency)) as reporting_currency,
        valid_from,
        rate,
        recorded_at
    from {{ source('raw', 'exchange_rates') }}
    where rate > 0
),

ranked as (
    select
        *,
        first_value(reporting_currency) over (order by recorded_at desc, reporting_currency) as current_reporting_currency,
        row_number() over (
            partition by currency, reporting_currency, valid_from order by recorded_at desc, rate desc
        ) as from_the_last
    from told
)

select
    currency,
    reporting_currency,
    rate,
    valid_from,
    lead(valid_from) over (partition by currency order by valid_from) as valid_until,
    recorded_at
from ranked
where from_the_last = 1 and reporting_currency = current_reporting_currency
