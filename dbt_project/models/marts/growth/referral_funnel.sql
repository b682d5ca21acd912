-- One row per ISO week of the referral mart: from active people to inviters, invites, newcomers and newcomers who invite in turn.
-- Counts and the k-factor are the referral mart's own; this one adds what is per person, per newcomer and how long a turn takes.

with

terms as (
    select * from {{ ref('int_growth_terms') }}
),

referral as (
    select * from {{ ref('referral') }}
),

referrals as (
    select * from {{ ref('int_people__referrals') }}
),

per_inviter as (
    select
        week,
        invited_by,
        count(*) as newcomers
    from referrals
    group by week, invited_by
),

spread as (
    select
        week,
        cast(sum(newcomers * newcomers) as double) as newcomers_squared
    from per_inviter
    group by week
),

turns as (
    select
        week,
        count(case when passed_on then 1 end) as passed_on,
        {{ exact_total('cycle_days') }} as days,
        {{ exact_total('cycle_days * cycle_days') }} as days_squared,
        cast(median(cycle_days) as double) as median_days
    from referrals
    group by week
),

judged as (
    select
        referral.week,
        referral.active_people,
        referral.inviters,
        referral.invites,
        referral.invited_sign_ups,
        referral.converted,
        referral.rate as conversion,
        referral.k_factor,
        coalesce(turns.passed_on, 0) as passed_on,
        turns.days / nullif(referral.invited_sign_ups, 0) as cycle_days,
        turns.median_days,
        terms.interval_z
        * {{ mean_error('referral.invited_sign_ups', 'turns.days', 'turns.days_squared') }} as cycle_half_width,
        terms.interval_z
        * {{ mean_error('referral.active_people', 'referral.invited_sign_ups', 'coalesce(spread.newcomers_squared, 0)') }}
            as k_half_width,
        terms.min_people,
        terms.interval_z,
        coalesce({{ days_after('referral.week', '7 + 2 * terms.referral_days') }} <= terms.unseen_from, false) as is_mature
    from referral
    cross join terms
    left join spread on referral.week = spread.week
    left join turns on referral.week = turns.week
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
    active_people,
    inviters,
    invites,
    case when is_mature then invited_sign_ups end as newcomers,
    case when is_mature then converted end as converted,
    case when is_mature then passed_on end as passed_on,
    active_people as n,
    case when withheld_reason is null then inviters / cast(active_people as double) end as rate,
    case when withheld_reason is null then {{ wilson_low('inviters', 'active_people', 'interval_z') }} end as ci_low,
    case when withheld_reason is null then {{ wilson_high('inviters', 'active_people', 'interval_z') }} end as ci_high,
    case when withheld_reason is null then invites / cast(active_people as double) end as invites_per_person,
    case when withheld_reason is null then invites / cast(inviters as double) end as invites_per_inviter,
    case when withheld_reason is null then conversion end as conversion,
    case when withheld_reason is null then k_factor end as k_factor,
    case when withheld_reason is null then k_factor - k_half_width end as k_low,
    case when withheld_reason is null then k_factor + k_half_width end as k_high,
    case when withheld_reason is null and invited_sign_ups >= min_people then passed_on / cast(invited_sign_ups as double) end
        as passed_on_rate,
    case when withheld_reason is null and invited_sign_ups >= min_people then cycle_days end as cycle_days,
    case when withheld_reason is null and invited_sign_ups >= min_people then cycle_days - cycle_half_width end
        as cycle_days_low,
    case when withheld_reason is null and invited_sign_ups >= min_people then cycle_days + cycle_half_width end
        as cycle_days_high,
    case when withheld_reason is null and invited_sign_ups >= min_people then median_days end as cycle_days_median,
    is_mature,
    meets_min_sample,
    withheld_reason
from reasoned
