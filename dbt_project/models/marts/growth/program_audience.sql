-- One row per program and person whom it may address: consent given, of its audience, in one of its segments.
-- Inactivity is counted back from the program's latest look; it makes segments of its own (at_risk, dormant), whatever segment the
-- person was told to be in. Whoever's activation is unknown, because the sign-up was never seen, is in neither of those audiences.

with

people as (
    select * from {{ ref('int_people') }} where is_subscribed
),

programs as (
    select * from {{ ref('stg_ledger__programs') }}
),

activations as (
    select * from {{ ref('int_people__activations') }}
),

looks as (
    select
        program,
        max(as_of) as as_of
    from {{ ref('stg_ledger__cycles') }}
    group by program
),

considered as (
    select
        programs.program,
        programs.audience,
        programs.spec,
        people.user_id,
        people.segment as told_segment,
        people.timezone,
        activations.is_activated,
        coalesce(people.last_active_at, people.first_seen_at) < {{ time_after_days('looks.as_of', '-' ~ policy('at_risk_days')) }} as is_at_risk,
        coalesce(people.last_active_at, people.first_seen_at) < {{ time_after_days('looks.as_of', '-' ~ policy('month_days')) }} as is_dormant
    from programs
    inner join looks on programs.program = looks.program
    cross join people
    left join activations on programs.program = activations.program and people.user_id = activations.user_id
),

selected as (
    select
        *,
        case
            when audience <> 'inactive' then told_segment
            when is_dormant then 'dormant'
            when is_at_risk then 'at_risk'
        end as segment
    from considered
    where
        audience in ('subscribed', 'inactive')
        or (audience = 'activated' and is_activated)
        or (audience = 'not_activated' and not is_activated)
)

select
    program,
    user_id,
    segment,
    timezone
from selected
where segment is not null and {{ list_holds(json_list('spec', '$.segments'), 'segment') }}
