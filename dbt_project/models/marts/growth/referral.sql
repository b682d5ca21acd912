-- One row per ISO week with active people that is over or has invites: how many invites brought somebody.
-- A sign-up belongs to the week of its inviter's last invite before it, if that is at most referral_days old.

with

terms as (
    select * from {{ ref('int_growth_terms') }}
),

invite_weeks as (
    select * from {{ ref('int_people__invite_weeks') }}
),

actives as (
    select * from {{ ref('weekly_actives') }} where segment = 'all' and is_mature and wau > 0
),

-- People who were active in a week in which nobody invited belong to every ratio over active people.
cohorts as (
    select
        week,
        inviters,
        active_people,
        invites,
        invited_sign_ups,
        converted
    from invite_weeks
    union all
    select
        actives.week,
        0 as inviters,
        actives.wau as active_people,
        0 as invites,
        0 as invited_sign_ups,
        0 as converted
    from actives
    left join invite_weeks on actives.week = invite_weeks.week
    where invite_weeks.week is null
),

judged as (
    select
        cohorts.*,
        terms.min_people,
        terms.interval_z,
        {{ days_after('cohorts.week', '7 + terms.referral_days') }} <= terms.unseen_from as is_mature
    from cohorts
    cross join terms
),

reasoned as (
    select
        *,
        inviters >= min_people as meets_min_sample,
        {{ withheld_reason('is_mature', 'inviters', 'min_people') }} as withheld_reason
    from judged
)

select
    week,
    inviters,
    active_people,
    invites,
    case when is_mature then invited_sign_ups end as invited_sign_ups,
    case when is_mature then converted end as converted,
    case when is_mature then invites end as n,
    case when withheld_reason is null then converted / cast(invites as double) end as rate,
    case when withheld_reason is null then {{ wilson_low('converted', 'invites', 'interval_z') }} end as ci_low,
    case when withheld_reason is null then {{ wilson_high('converted', 'invites', 'interval_z') }} end as ci_high,
    case when withheld_reason is null then invited_sign_ups / cast(active_people as double) end as k_factor,
    is_mature,
    meets_min_sample,
    withheld_reason
from reasoned
