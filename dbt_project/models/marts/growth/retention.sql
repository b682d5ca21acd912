-- One row per sign-up cohort (each week, and `all`), segment (each, and `all`), definition, clock and span of days: who came back.
-- exact: active on day N; unbounded: on day N or any later one; bracket: on at least one day of the span. calendar: UTC days after the
-- sign-up day; 24 hours: windows counted from the sign-up itself. Only people whose whole span has been seen count.

with

terms as (
    select * from {{ ref('int_growth_terms') }}
),

people as (
    select
        signed_up_on,
        reported_segment as segment,
        signed_up_at,
        last_active_at,
        {{ days_between('signed_up_on', 'cast(last_active_at as date)') }} as last_age
    from {{ ref('int_people') }}
    where signed_up_at is not null
),

returns as (
    select
        counted.*,
        {{ days_between('counted.signed_up_on', 'counted.activity_on') }} as age
    from {{ ref('int_people__returns') }} as counted
    cross join terms
    where {{ days_between('counted.signed_up_on', 'counted.activity_on') }} <= terms.retention_days + 1
),

sizes as (
    select
        signed_up_on,
        segment,
        count(*) as people
    from people
    group by signed_up_on, segment
),

ages as (
    select {{ numbers_to('retention_days') }} as age
    from terms
),

definitions as (
    select 'exact' as definition
    union all
    select 'unbounded' as definition
),

clocks as (
    select 'calendar' as clock
    union all
    select '24 hours' as clock
),

-- Every span of every definition, by the bracket or the day it is found under.
spans as (
    select
        definitions.definition,
        clocks.clock,
        ages.age as span,
        ages.age as from_day,
        case when definitions.definition = 'exact' then ages.age end as to_day,
        ages.age as seen_day
    from ages
    cross join definitions
    cross join clocks
    union all
    select
        'bracket' as definition,
        clocks.clock,
        ages.age as span,
        (ages.age - 1) * terms.bracket_days + 1 as from_day,
        ages.age * terms.bracket_days as to_day,
        ages.age * terms.bracket_days as seen_day
    from ages
    cross join terms
    cross join clocks
    where ages.age > 0 and ages.age * terms.bracket_days <= terms.retention_days
),

returned as (
    select 'exact' as definition, 'calendar' as clock, signed_up_on, segment, age as span, people as retained
    from returns
    union all
    select 'exact' as definition, '24 hours' as clock, signed_up_on, segment, age - 1 as span, people_in_older_window as retained
    from returns
    union all
    select 'exact' as definition, '24 hours' as clock, signed_up_on, segment, age as span, people_in_newer_window as retained
    from returns
    union all
    select
        'bracket' as definition,
        'calendar' as clock,
        returns.signed_up_on,
        returns.segment,
        {{ bracket_of('returns.age', 'terms.bracket_days') }} as span,
        returns.people as retained
    from returns
    cross join terms
    where returns.age > 0 and coalesce(returns.days_since_last > (returns.age - 1) % terms.bracket_days, true)
    union all
    select
        'bracket' as definition,
        '24 hours' as clock,
        returns.signed_up_on,
        returns.segment,
        {{ bracket_of('returns.age - 1', 'terms.bracket_days') }} as span,
        returns.people_in_older_bracket as retained
    from returns
    cross join terms
    union all
    select
        'bracket' as definition,
        '24 hours' as clock,
        returns.signed_up_on,
        returns.segment,
        {{ bracket_of('returns.age', 'terms.bracket_days') }} as span,
        returns.people_in_newer_bracket as retained
    from returns
    cross join terms
),

lasting as (
    select 'calendar' as clock, signed_up_on, segment, last_age
    from people
    union all
    select
        '24 hours' as clock,
        signed_up_on,
        segment,
        case when last_active_at < {{ time_after_days('signed_up_at', 'last_age') }} then last_age - 1 else last_age end as last_age
    from people
),

last_ages as (
    select
        lasting.clock,
        lasting.signed_up_on,
        lasting.segment,
        least(lasting.last_age, terms.retention_days) as last_age,
        count(*) as people
    from lasting
    cross join terms
    where lasting.last_age >= 0
    group by lasting.clock, lasting.signed_up_on, lasting.segment, least(lasting.last_age, terms.retention_days)
),

found as (
    select
        definition,
        clock,
        signed_up_on,
        segment,
        span,
        sum(retained) as retained
    from returned
    group by definition, clock, signed_up_on, segment, span
    union all
    select
        'unbounded' as definition,
        last_ages.clock,
        last_ages.signed_up_on,
        last_ages.segment,
        ages.age as span,
        sum(last_ages.people) as retained
    from last_ages
    inner join ages on last_ages.last_age >= ages.age
    group by last_ages.clock, last_ages.signed_up_on, last_ages.segment, ages.age
),

-- A window of 24 hours of somebody who signed up late in the day ends a calendar day later.
cells as (
    select
        spans.*,
        sizes.signed_up_on,
        sizes.segment,
        sizes.people,
        {{ days_after('sizes.signed_up_on', "spans.seen_day + case when spans.clock = 'calendar' then 0 else 1 end") }} < terms.unseen_from as is_due,
        coalesce(found.retained, 0) as retained
    from sizes
    cross join spans
    cross join terms
    left join found
        on
            spans.definition = found.definition
            and spans.clock = found.clock
            and spans.span = found.span
            and sizes.signed_up_on = found.signed_up_on
            and sizes.segment = found.segment
),

cohorts as (
    select
        {{ week_of('signed_up_on') }} as cohort_week,
        case when grouping({{ week_of('signed_up_on') }}) = 1 then 'all' else cast({{ week_of('signed_up_on') }} as string) end as cohort,
        case when grouping(segment) = 1 then 'all' else segment end as segment,
        definition,
        clock,
        from_day,
        to_day,
        seen_day + case when clock = 'calendar' then 0 else 1 end as last_day,
        cast(sum(people) as bigint) as people,
        cast(sum(case when is_due then people else 0 end) as bigint) as n,
        cast(sum(case when is_due then retained else 0 end) as bigint) as retained
    from cells
    group by
        grouping sets (
            (definition, clock, from_day, to_day, seen_day),
            (definition, clock, from_day, to_day, seen_day, segment),
            (definition, clock, from_day, to_day, seen_day, {{ week_of('signed_up_on') }}),
            (definition, clock, from_day, to_day, seen_day, {{ week_of('signed_up_on') }}, segment)
        )
),

judged as (
    select
        cohorts.*,
        terms.min_people,
        terms.interval_z,
        case
            when cohorts.cohort = 'all' then cohorts.n > 0
            else coalesce({{ days_after('cohorts.cohort_week', '6 + cohorts.last_day') }} < terms.unseen_from, false)
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
    segment,
    definition,
    clock,
    from_day,
    to_day,
    people,
    n,
    case when is_mature then retained end as retained,
    {{ rate_columns('retained', 'n') }}
    is_mature,
    meets_min_sample,
    withheld_reason
from reasoned
