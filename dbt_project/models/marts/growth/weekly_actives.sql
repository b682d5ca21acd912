-- One row per ISO week and segment: distinct people active in the week, never a sum of days, and where they came from.
-- wau = new + retained + resurrected, and last week's wau = retained + lost. A week has numbers only once it is over.

with

terms as (
    select * from {{ ref('int_growth_terms') }}
),

returns as (
    select
        *,
        {{ week_of('activity_on') }} as week,
        {{ days_between(week_of('activity_on'), 'activity_on') }} as days_into_week
    from {{ ref('int_people__returns') }}
),

-- Who was last active before the week began is counted on the first active day of the week, and on no other.
arrivals as (
    select
        week,
        case when grouping(segment) = 1 then 'all' else segment end as segment,
        cast(sum(people) as bigint) as wau,
        cast(sum(case when days_since_last is null then people else 0 end) as bigint) as new,
        cast(sum(case when days_since_last <= days_into_week + 7 then people else 0 end) as bigint) as retained,
        cast(sum(case when days_since_last > days_into_week + 7 then people else 0 end) as bigint) as resurrected
    from returns
    where coalesce(days_since_last > days_into_week, true)
    group by grouping sets ((week), (week, segment))
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
        coalesce(last_week.wau, 0) - coalesce(this_week.retained, 0) as lost,
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
