-- One row per weekly cohort, segment and age in weeks: who came back. Age k covers the days 7k to 7k + 6 after each person's own sign-up
-- day, so week 0 is everyone. A cell has numbers only once that span has passed for everyone in the cohort.

with

terms as (
    select * from {{ ref('int_growth_terms') }}
),

people as (
    select * from {{ ref('int_people') }} where signed_up_at is not null
),

returns as (
    select * from {{ ref('int_people__returns') }} where signed_up_on is not null
),

sizes as (
    select
        cohort_week,
        case when grouping(reported_segment) = 1 then 'all' else reported_segment end as segment,
        count(*) as people
    from people
    group by grouping sets ((cohort_week), (cohort_week, reported_segment))
),

-- Every age that has begun for the cohort's first possible person.
cells as (
    select
        sizes.*,
        {{ numbers_to('floor((' ~ days_between('sizes.cohort_week', 'terms.unseen_from') ~ ' - 1) / 7)') }} as age_weeks
    from sizes
    cross join terms
),

aged as (
    select
        *,
        {{ days_between('signed_up_on', 'activity_on') }} as age_days
    from returns
),

-- Who was last active before the age week began is counted on its first active day of that week, and on no other.
returned as (
    select
        {{ week_of('signed_up_on') }} as cohort_week,
        case when grouping(segment) = 1 then 'all' else segment end as segment,
        cast(floor(age_days / 7) as bigint) as age_weeks,
        cast(sum(people) as bigint) as retained
    from aged
    where coalesce(days_since_last > age_days % 7, true)
    group by
        grouping sets (
            ({{ week_of('signed_up_on') }}, cast(floor(age_days / 7) as bigint)),
            ({{ week_of('signed_up_on') }}, cast(floor(age_days / 7) as bigint), segment)
        )
),

judged as (
    select
        cells.cohort_week,
        cells.segment,
        cells.age_weeks,
        cells.people,
        coalesce(returned.retained, 0) as retained,
        terms.min_people,
        terms.interval_z,
        {{ days_after('cells.cohort_week', '7 * cells.age_weeks + 13') }} <= terms.unseen_from as is_mature
    from cells
    cross join terms
    left join returned
        on
            cells.cohort_week = returned.cohort_week
            and cells.segment = returned.segment
            and cells.age_weeks = returned.age_weeks
),

reasoned as (
    select
        *,
        people >= min_people as meets_min_sample,
        {{ withheld_reason('is_mature', 'people', 'min_people') }} as withheld_reason
    from judged
)

select
    cohort_week,
    segment,
    age_weeks,
    people,
    case when is_mature then people end as n,
    case when is_mature then retained end as retained,
    case when withheld_reason is null then retained / cast(people as double) end as rate,
    case when withheld_reason is null then {{ wilson_low('retained', 'people', 'interval_z') }} end as ci_low,
    case when withheld_reason is null then {{ wilson_high('retained', 'people', 'interval_z') }} end as ci_high,
    is_mature,
    meets_min_sample,
    withheld_reason
from reasoned
