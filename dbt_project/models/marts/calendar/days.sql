-- One row per calendar day that an event may carry: the time spine that metrics are laid out on.

with

numbered as (
    select {{ numbers_to(days_between("date '2000-01-01'", "date '2099-12-31'")) }} as day_number
)

select {{ days_after("date '2000-01-01'", 'day_number') }} as day
from numbered
