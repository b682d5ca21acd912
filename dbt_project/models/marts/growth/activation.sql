-- One row per program, weekly cohort and segment: how many people who signed up that week took the program's steps, in order, in time.

with

terms as (
    select * from {{ ref('int_growth_terms') }}
),

steps as (
    select distinct program, within_days from {{ ref('int_people__activation_steps') }}
),

people as (
    select
        user_id,
        cohort_week,
        reported_segment
    from {{ ref('int_people') }}
    where signed_up_at is not null
),

activations as (
    select
        program,
        user_id,
        within_days,
        window_ends_at,
        is_activated
    from {{ ref('int_people__activations') }}
),

-- A program that no longer has an activation, or has another window, keeps its old rows out of sight.
outcomes as (
    select
        activations.program,
        activations.within_days,
        people.cohort_week,
        people.reported_segment,
        activations.window_ends_at <= terms.unseen_from as is_due,
        activations.is_activated
    from activations
    inner join steps on activations.program = steps.program and activations.within_days = steps.within_days
    inner join people on activations.user_id = people.user_id
    cross join terms
),

cohorts as (
    select
        program,
        within_days,
        cohort_week,
        case when grouping(reported_segment) = 1 then 'all' else reported_segment end as segment,
        count(*) as people,
        count(case when is_due then 1 end) as n,
        count(case when is_due and is_activated then 1 end) as activated
    from outcomes
    group by grouping sets ((program, within_days, cohort_week), (program, within_days, cohort_week, reported_segment))
),

judged as (
    select
        cohorts.*,
        terms.min_people,
        terms.interval_z,
        coalesce({{ days_after('cohorts.cohort_week', '7 + cohorts.within_days') }} <= terms.unseen_from, false) as is_mature
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
    program,
    cohort_week,
    segment,
    within_days,
    people,
    n,
    activated,
    case when withheld_reason is null then activated / cast(n as double) end as rate,
    case when withheld_reason is null then {{ wilson_low('activated', 'n', 'interval_z') }} end as ci_low,
    case when withheld_reason is null then {{ wilson_high('activated', 'n', 'interval_z') }} end as ci_high,
    is_mature,
    meets_min_sample,
    withheld_reason
from reasoned
