-- One row per ISO week and segment: distinct people active in the week, never a sum of days, and where they came from.
-- wau = new + retained + resurrected, and last week's wau = retained + lost. A week has numbers only once it is over.

with

terms as (
    select * from {{ ref('int_growth_terms') }}
),

people as (
    select * from {{ ref('int_people') }}
),

user_days as (
    select * from {{ ref('int_people__user_days') }}
),

user_weeks as (
    select distinct
        user_days.user_id,
        people.reported_segment,
        {{ week_of('user_days.activity_on') }} as week
    from user_days
    inner join people on user_days.user_id = people.user_id
),

neighbours as (
    select
        *,
        lag(week) over (partition by user_id order by week) as week_before,
        lead(week) over (partition by user_id order by week) as week_after
    from user_weeks
),

arrivals as (
    select
        week,
        case when grouping(reported_segment) = 1 then 'all' else reported_segment end as segment,
        count(*) as wau,
        count(case when week_before is null then 1 end) as new,
        count(case when week_before = {{ days_after('week', -7) }} then 1 end) as retained,
        count(case when week_before < {{ days_after('week', -7) }} then 1 end) as resurrected,
        count(case when week_after is null or week_after > {{ days_after('week', 7) }} then 1 end) as lost_in_next
    from neighbours
    group by grouping sets ((week), (week, reported_segment))
),

spans as (
    select
        segment,
        min(week) as first_week
    from arrivals
    group by segment
),

-- Every week since the segment's first, so that a week without anybody is a zero and not a gap.
weeks as (
    select
        segment,
        first_week,
        {{ numbers_to('floor((' ~ days_between('spans.first_week', 'terms.unseen_from') ~ ' - 1) / 7)') }} as week_number
    from spans
    cross join terms
),

calendar as (
    select
        segment,
        {{ days_after('first_week', '7 * week_number') }} as week
    from weeks
),

judged as (
    select
        calendar.week,
        calendar.segment,
        coalesce(this_week.wau, 0) as wau,
        coalesce(this_week.new, 0) as new,
        coalesce(this_week.retained, 0) as retained,
        coalesce(this_week.resurrected, 0) as resurrected,
        coalesce(last_week.lost_in_next, 0) as lost,
        coalesce(last_week.wau, 0) as n,
        terms.min_people,
        terms.interval_z,
        {{ days_after('calendar.week', 7) }} <= terms.unseen_from as is_mature
    from calendar
    cross join terms
    left join arrivals as this_week on calendar.segment = this_week.segment and calendar.week = this_week.week
    left join arrivals as last_week
        on calendar.segment = last_week.segment and {{ days_after('calendar.week', -7) }} = last_week.week
),

reasoned as (
    select
        *,
        n >= min_people as meets_min_sample,
        {{ withheld_reason('is_mature', 'n', 'min_people') }} as withheld_reason
    from judged
)

select
    week,
    segment,
    {% for count in ['wau', 'new', 'retained', 'resurrected', 'lost'] %}
        case when is_mature then {{ count }} end as {{ count }},
    {% endfor %}
    n,
    case when withheld_reason is null then retained / cast(n as double) end as rate,
    case when withheld_reason is null then {{ wilson_low('retained', 'n', 'interval_z') }} end as ci_low,
    case when withheld_reason is null then {{ wilson_high('retained', 'n', 'interval_z') }} end as ci_high,
    is_mature,
    meets_min_sample,
    withheld_reason
from reasoned
