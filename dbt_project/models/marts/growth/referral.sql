-- One row per ISO week in which invites were sent: how many of them brought somebody.
-- A sign-up belongs to the week of its inviter's last invite before it, if that is at most referral_days old.

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

invites as (
    select
        user_id,
        occurred_at
    from {{ ref('stg_events__events') }}
    where event_name = 'Invite Sent' and is_activity
),

sign_ups as (
    select
        user_id,
        invited_by,
        signed_up_at
    from people
    where invited_by is not null and signed_up_at is not null
),

attributed as (
    select
        sign_ups.invited_by,
        {{ week_of('max(invites.occurred_at)') }} as week
    from sign_ups
    cross join terms
    inner join invites
        on
            sign_ups.invited_by = invites.user_id
            and sign_ups.signed_up_at >= invites.occurred_at
            and sign_ups.signed_up_at < {{ time_after_days('invites.occurred_at', 'terms.referral_days') }}
    group by sign_ups.user_id, sign_ups.invited_by
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
        {{ week_of('occurred_at') }} as week,
        count(*) as invites
    from invites
    group by user_id, {{ week_of('occurred_at') }}
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
        {{ week_of('activity_on') }} as week,
        count(distinct user_id) as active_people
    from user_days
    group by {{ week_of('activity_on') }}
),

judged as (
    select
        cohorts.*,
        actives.active_people,
        terms.min_people,
        terms.interval_z,
        {{ days_after('cohorts.week', '7 + terms.referral_days') }} <= terms.unseen_from as is_mature
    from cohorts
    inner join actives on cohorts.week = actives.week
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
