-- One row per sign-up cohort (each week, and all weeks together) and day N: who was active on exactly the Nth calendar day after the
-- sign-up day. Only people whose day N has been seen count; a week's cell has numbers only once that holds for the whole week.

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
        signed_up_on,
        count(*) as people
    from people
    group by cohort_week, signed_up_on
),

cells as (
    select
        sizes.*,
        {{ numbers_to('terms.retention_days') }} as day_number
    from sizes
    cross join terms
),

returned as (
    select
        signed_up_on,
        {{ days_between('signed_up_on', 'activity_on') }} as day_number,
        sum(people) as retained
    from returns
    group by signed_up_on, {{ days_between('signed_up_on', 'activity_on') }}
),

days as (
    select
        cells.cohort_week,
        cells.day_number,
        cells.people,
        {{ days_after('cells.signed_up_on', 'cells.day_number') }} < terms.unseen_from as is_due,
        coalesce(returned.retained, 0) as retained
    from cells
    cross join terms
    left join returned on cells.signed_up_on = returned.signed_up_on and cells.day_number = returned.day_number
),

cohorts as (
    select
        cohort_week,
        day_number,
        case when grouping(cohort_week) = 1 then 'all' else cast(cohort_week as string) end as cohort,
        cast(sum(people) as bigint) as people,
        cast(coalesce(sum(case when is_due then people end), 0) as bigint) as n,
        cast(coalesce(sum(case when is_due then retained end), 0) as bigint) as retained
    from days
    group by grouping sets ((day_number), (cohort_week, day_number))
),

-- All weeks together are always young at the end: there, maturity is that of each person.
judged as (
    select
        cohorts.*,
        terms.min_people,
        terms.interval_z,
        case
            when cohort = 'all' then n > 0
            else coalesce({{ days_after('cohort_week', '6 + day_number') }} < terms.unseen_from, false)
        end as is_mature
    from cohorts
    cross join terms
),

reasoned as (
    select
        *,
        n >= min_people as meets_min_sample,
        {{ withheld_reason('is_mature', 'n', 'min_people') }} as withheld_reason
    from judged
)

select
    cohort,
    cohort_week,
    day_number,
    people,
    n,
    case when is_mature then retained end as retained,
    case when withheld_reason is null then retained / cast(n as double) end as rate,
    case when withheld_reason is null then {{ wilson_low('retained', 'n', 'interval_z') }} end as ci_low,
    case when withheld_reason is null then {{ wilson_high('retained', 'n', 'interval_z') }} end as ci_high,
    is_mature,
    meets_min_sample,
    withheld_reason
from reasoned
