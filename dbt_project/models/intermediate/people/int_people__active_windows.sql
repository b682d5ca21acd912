-- One row per UTC day since the segment's first activity and segment (each, and `all`): distinct people active on the day, in the week and
-- in the month that end with it, and where the day's people came from.

with

terms as (
    select * from {{ ref('int_growth_terms') }}
),

returns as (
    select
        activity_on,
        case when grouping(segment) = 1 then 'all' else segment end as segment,
        days_since_last,
        sum(people) as people
    from {{ ref('int_people__returns') }}
    group by grouping sets ((activity_on, days_since_last), (activity_on, days_since_last, segment))
),

-- Every window that a day lies in, by how many days later it ends.
ahead as (
    select
        returns.*,
        {{ numbers_to('terms.month_days - 1') }} as later,
        terms.month_days
    from returns
    cross join terms
),

-- A person counts in a window on the first active day in it: the one whose last activity lies before the window began.
windows as (
    select
        {{ days_after('activity_on', 'later') }} as day,
        segment,
        sum(case when later = 0 then people else 0 end) as dau,
        sum(case when later < 7 and coalesce(days_since_last > 6 - later, true) then people else 0 end) as wau,
        sum(case when coalesce(days_since_last > month_days - 1 - later, true) then people else 0 end) as mau,
        sum(case when later = 0 and days_since_last is null then people else 0 end) as new,
        sum(case when later = 0 and days_since_last <= month_days then people else 0 end) as retained,
        sum(case when later = 0 and days_since_last > month_days then people else 0 end) as resurrected
    from ahead
    group by {{ days_after('activity_on', 'later') }}, segment
),

spans as (
    select
        segment,
        min(day) as first_day
    from windows
    group by segment
),

spine as (
    select
        spans.segment,
        spans.first_day,
        {{ numbers_to(days_between('spans.first_day', 'terms.unseen_from')) }} as day_number
    from spans
    cross join terms
    where spans.first_day <= terms.unseen_from
),

calendar as (
    select
        segment,
        {{ days_after('first_day', 'day_number') }} as day
    from spine
)

select
    calendar.day,
    calendar.segment,
    {% for count in ['dau', 'wau', 'mau', 'new', 'retained', 'resurrected'] %}
        cast(coalesce(windows.{{ count }}, 0) as bigint) as {{ count }}{{ ',' if not loop.last }}
    {% endfor %}
from calendar
left join windows on calendar.day = windows.day and calendar.segment = windows.segment
