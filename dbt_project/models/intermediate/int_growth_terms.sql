-- One row: where the growth and channel marts look from and the thresholds they judge by.
-- Those read with coalesce have a default until the policy seed names them.

with

terms as (
    select
        as_of_day,
        unseen_from,
        cast({{ policy('min_cohort_users') }} as double) as min_people,
        cast({{ policy('interval_level') }} as double) as interval_level,
        cast(coalesce({{ policy('referral_days') }}, 14) as integer) as referral_days,
        cast(coalesce({{ policy('retention_days') }}, 30) as integer) as retention_days,
        cast(coalesce({{ policy('email_days') }}, 3) as integer) as email_days,
        cast(coalesce({{ policy('month_days') }}, 28) as integer) as month_days,
        cast(coalesce({{ policy('bracket_days') }}, 7) as integer) as bracket_days
    from {{ ref('int_as_of') }}
)

select
    *,
    greatest(month_days, bracket_days, 14) as reach_days,
    {{ two_sided_z('interval_level') }} as interval_z
from terms
