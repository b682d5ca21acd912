-- One row per ISO week in which somebody was engaged, or could have stayed so: active on at least engaged_days days of the week.
-- A build makes anew the weeks of days that changed and the ones after them.

{% set weeks = weeks_from(changed_days(this, ref('int_people__known_days'))) %}

{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ without_rows(this, any_of('week', weeks_from(changed_days(this, ref('int_people__known_days'))))) }}",
) }}

with

user_days as (
    select
        user_id,
        {{ week_of('activity_on') }} as week
    from {{ ref('int_people__user_days') }}
    {% if is_incremental() %}
        where
            {{ 'activity_on >= ' ~ days_after(weeks | first, -7) ~ ' and' if weeks }}
            ({{ any_of(week_of('activity_on'), weeks) }} or {{ any_of(days_after(week_of('activity_on'), 7), weeks) }})
    {% endif %}
),

learned as (
    select * from {{ ref('stg_events__learned') }}
),

terms as (
    select {{ policy('engaged_days') }} as engaged_days
),

user_weeks as (
    select
        user_id,
        week,
        count(*) as days
    from user_days
    group by user_id, week
),

engaged as (
    select
        user_weeks.user_id,
        user_weeks.week
    from user_weeks
    cross join terms
    where user_weeks.days >= terms.engaged_days
),

-- Each engaged week is looked at twice: as itself, and as the week before the next one.
looked as (
    select
        user_id,
        week,
        1 as is_engaged,
        0 as was_engaged
    from engaged
    union all
    select
        user_id,
        {{ days_after('week', 7) }} as week,
        0 as is_engaged,
        1 as was_engaged
    from engaged
),

people as (
    select
        user_id,
        week,
        max(is_engaged) as is_engaged,
        max(was_engaged) as was_engaged
    from looked
    group by user_id, week
)

select
    people.week,
    cast(sum(people.is_engaged) as bigint) as engaged,
    cast(sum(people.was_engaged) as bigint) as engaged_before,
    cast(sum(people.is_engaged * people.was_engaged) as bigint) as retained,
    max(learned.built_through) as built_through,
    max(learned.received_events) as received_events
from people
cross join learned
{% if is_incremental() %}
    where {{ any_of('people.week', weeks) }}
{% endif %}
group by people.week
