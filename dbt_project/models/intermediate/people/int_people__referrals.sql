-- One row per sign-up that an invite brought: it belongs to the inviter's last invite before it, if that is less than referral_days old.

with

terms as (
    select * from {{ ref('int_growth_terms') }}
),

sign_ups as (
    {{ invited_people() }}
),

brought as (
    select
        sign_ups.user_id,
        sign_ups.invited_by,
        sign_ups.signed_up_at,
        max(invites.occurred_at) as invited_at,
        min(invites.settled_at) as invite_settled_at
    from sign_ups
    cross join terms
    inner join {{ ref('int_people__moments') }} as invites
        on
            sign_ups.invited_by = invites.user_id
            and invites.event_name = 'Invite Sent'
            and invites.is_activity
            and sign_ups.signed_up_at >= invites.occurred_at
            and sign_ups.signed_up_at < {{ time_after_days('invites.occurred_at', 'terms.referral_days') }}
    group by sign_ups.user_id, sign_ups.invited_by, sign_ups.signed_up_at
),

-- When the warehouse heard of the sign-up.
heard as (
    select
        user_id,
        occurred_at,
        min(settled_at) as settled_at
    from {{ ref('int_people__moments') }}
    where event_name = 'Signed Up' and is_human and user_id in (select user_id from brought)
    group by user_id, occurred_at
),

-- Whether the one who came invites others in turn, within as many days.
first_invites as (
    select
        brought.user_id,
        min(invites.occurred_at) as first_invited_at
    from brought
    inner join {{ ref('int_people__moments') }} as invites
        on
            brought.user_id = invites.user_id
            and invites.event_name = 'Invite Sent'
            and invites.is_activity
            and invites.occurred_at >= brought.signed_up_at
    group by brought.user_id
)

select
    brought.user_id,
    brought.invited_by,
    brought.invited_at,
    brought.signed_up_at,
    {{ week_of('brought.invited_at') }} as week,
    cast({{ seconds_between('brought.invited_at', 'brought.signed_up_at') }} / 86400 as double) as cycle_days,
    coalesce(
        first_invites.first_invited_at < {{ time_after_days('brought.signed_up_at', 'terms.referral_days') }}, false
    ) as passed_on,
    greatest(brought.invite_settled_at, heard.settled_at) as known_at
from brought
cross join terms
inner join heard on brought.user_id = heard.user_id and brought.signed_up_at = heard.occurred_at
left join first_invites on brought.user_id = first_invites.user_id
