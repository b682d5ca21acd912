-- One row per ISO week in which people sent invites: how many of them, and whom they brought.
-- A sign-up belongs to the week of its inviter's last invite before it, if that is less than referral_days old. Made anew are the weeks
-- within that reach of a day that was made anew, also where it lost all of its rows.

{% set weeks = touched_invite_weeks(this) %}

{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ without_rows(this, 'week in (' ~ (touched_invite_weeks(this) or []) | join(', ') ~ ')') }}",
) }}

with

terms as (
    select * from {{ ref('int_growth_terms') }}
),

people as (
    {{ invited_people() }}
),

invites as (
    select
        user_id,
        occurred_at,
        {{ week_of('occurred_at') }} as week
    from {{ ref('int_people__moments') }}
    where
        event_name = 'Invite Sent' and is_activity
        {% if weeks %} and activity_on >= {{ weeks | first }} {% endif %}
),

returns as (
    select
        {{ week_of('activity_on') }} as week,
        people,
        days_since_last,
        {{ days_between(week_of('activity_on'), 'activity_on') }} as days_into_week
    from {{ ref('int_people__returns') }}
),

learned as (
    select
        max(built_through) as built_through,
        max(received_events) as received_events
    from {{ ref('int_people__moments') }}
),

attributed as (
    select
        people.invited_by,
        {{ week_of('max(invites.occurred_at)') }} as week
    from people
    cross join terms
    inner join invites
        on
            people.invited_by = invites.user_id
            and people.signed_up_at >= invites.occurred_at
            and people.signed_up_at < {{ time_after_days('invites.occurred_at', 'terms.referral_days') }}
    group by people.user_id, people.invited_by
),

brought as (
    select
        invited_by,
        week,
        count(*) as sign_ups
    from attributed
    group by invited_by, week
),

sent as (
    select
        user_id,
        week,
        count(*) as invites
    from invites
    {% if weeks is not none %} where week in ({{ weeks | join(', ') }}) {% endif %}
    group by user_id, week
),

-- One shared link may bring more people than it counts as invites: what converts is capped, what arrives is not.
cohorts as (
    select
        sent.week,
        count(*) as inviters,
        cast(sum(sent.invites) as bigint) as invites,
        cast(sum(coalesce(brought.sign_ups, 0)) as bigint) as invited_sign_ups,
        cast(sum(least(sent.invites, coalesce(brought.sign_ups, 0))) as bigint) as converted
    from sent
    left join brought on sent.user_id = brought.invited_by and sent.week = brought.week
    group by sent.week
),

actives as (
    select
        week,
        cast(sum(people) as bigint) as active_people
    from returns
    where coalesce(days_since_last > days_into_week, true)
    group by week
)

select
    cohorts.week,
    cohorts.inviters,
    actives.active_people,
    cohorts.invites,
    cohorts.invited_sign_ups,
    cohorts.converted,
    learned.built_through,
    learned.received_events
from cohorts
inner join actives on cohorts.week = actives.week
cross join learned
