-- One row per program, weekly cohort and segment: how many people who signed up that week took the program's steps, in order, in time.
-- A person's events in the window become a text such as |1||2||1||3|, and the steps a pattern such as %|1|%|2|%|3|%.

with

terms as (
    select * from {{ ref('int_growth_terms') }}
),

steps as (
    select * from {{ ref('int_people__activation_steps') }}
),

people as (
    select * from {{ ref('int_people') }} where signed_up_at is not null
),

events as (
    select * from {{ ref('stg_events__events') }} where is_human
),

-- A step named twice keeps one token, that of its first place: the pattern then asks for two such events.
tokens as (
    select
        program,
        event_name,
        within_days,
        min(step_number) as token
    from steps
    group by program, event_name, within_days
),

patterns as (
    select
        steps.program,
        steps.within_days,
        concat('%', {{ joined_text("concat('|', tokens.token, '|%')", 'steps.step_number') }}) as pattern
    from steps
    inner join tokens on steps.program = tokens.program and steps.event_name = tokens.event_name
    group by steps.program, steps.within_days
),

-- Events of the same instant count in the order of the steps: sources often tell only the day.
walks as (
    select
        tokens.program,
        people.user_id,
        {{ joined_text("concat('|', tokens.token, '|')", 'events.occurred_at, tokens.token') }} as walk
    from people
    inner join events on people.user_id = events.user_id
    inner join tokens on events.event_name = tokens.event_name
    where
        events.occurred_at >= people.signed_up_at
        and events.occurred_at < {{ time_after_days('people.signed_up_at', 'tokens.within_days') }}
    group by tokens.program, people.user_id
),

outcomes as (
    select
        patterns.program,
        patterns.within_days,
        people.cohort_week,
        people.reported_segment,
        {{ time_after_days('people.signed_up_at', 'patterns.within_days') }} <= terms.unseen_from as is_due,
        coalesce(walks.walk like patterns.pattern, false) as is_activated
    from people
    cross join patterns
    cross join terms
    left join walks on people.user_id = walks.user_id and patterns.program = walks.program
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
