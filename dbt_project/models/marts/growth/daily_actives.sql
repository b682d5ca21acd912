-- One row per UTC day and segment: people active on the day, in the seven days and in the month that end with it, and stickiness.
-- Distinct people, never sums of days. A day has numbers only once it is over.

with

terms as (
    select * from {{ ref('int_growth_terms') }}
),

windows as (
    select * from {{ ref('int_people__active_windows') }}
),

firsts as (
    select min(day) as first_day from windows
),

judged as (
    select
        windows.day,
        windows.segment,
        windows.dau,
        windows.wau,
        windows.mau,
        everyone.dau = 0 as is_missing,
        terms.month_days,
        terms.min_people,
        terms.interval_z,
        windows.day < terms.unseen_from as is_over,
        coalesce({{ days_after('firsts.first_day', 'terms.month_days - 1') }} <= windows.day, false)
        and windows.day < terms.unseen_from as is_mature
    from windows
    cross join terms
    cross join firsts
    inner join windows as everyone on windows.day = everyone.day and everyone.segment = 'all'
),

reasoned as (
    select
        *,
        mau >= min_people as meets_min_sample,
        case
            when is_over and is_missing then 'no activity of this day has arrived'
            when {{ withheld_reason('is_mature', 'mau', 'min_people') }} is not null
                then {{ withheld_reason('is_mature', 'mau', 'min_people') }}
        end as withheld_reason
    from judged
)

select
    day,
    segment,
    case when is_over and not is_missing then dau end as dau,
    case when is_over and not is_missing then wau end as wau,
    case when is_over and not is_missing then mau end as mau,
    case when is_over and not is_missing then mau end as n,
    {{ rate_columns('dau', 'mau') }}
    is_missing,
    is_mature,
    meets_min_sample,
    withheld_reason
from reasoned
