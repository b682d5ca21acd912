-- One row per conversion and touch in the attribution_days before it, with the credit that each of five rules gives the touch; a
-- conversion without a touch has one row, `unattributed`, with all the credit. A touch may serve several conversions. An order below zero
-- corrects an earlier one: nobody converted, and like a refund it takes nothing back from the touches.

with

terms as (
    select
        cast({{ policy('attribution_days') }} as integer) as days,
        {{ policy('attribution_half_life_days') }} as half_life_days,
        {{ policy('attribution_first_share') }} as first_share,
        {{ policy('attribution_last_share') }} as last_share
),

conversions as (
    select * from {{ ref('int_revenue__entries') }} where not is_refund and coalesce(value, 0) >= 0
),

touches as (
    select * from {{ ref('int_channels__touches') }}
),

joined as (
    select
        conversions.source as conversion_source,
        conversions.event_id as conversion_id,
        touches.event_source,
        touches.event_id,
        touches.source,
        touches.campaign,
        touches.touched_at,
        {{ seconds_between('touches.touched_at', 'conversions.occurred_at') }} / 86400 as age_days
    from conversions
    cross join terms
    inner join touches
        on
            conversions.user_id = touches.user_id
            and touches.touched_at <= conversions.occurred_at
            and conversions.occurred_at < {{ time_after_days('touches.touched_at', 'terms.days') }}
),

placed as (
    select
        joined.*,
        row_number() over (
            partition by conversion_source, conversion_id order by touched_at, event_source, event_id
        ) as place,
        count(*) over (partition by conversion_source, conversion_id) as touches,
        power(2.0e0, -joined.age_days / terms.half_life_days) as freshness
    from joined
    cross join terms
),

weighed as (
    select
        placed.*,
        sum(freshness) over (partition by conversion_source, conversion_id) as freshness_total,
        terms.first_share,
        terms.last_share
    from placed
    cross join terms
)

select
    conversions.source as conversion_source,
    conversions.event_id as conversion_id,
    conversions.user_id,
    conversions.occurred_at as converted_at,
    {{ week_of('conversions.occurred_at') }} as week,
    conversions.amount,
    coalesce(weighed.source, 'unattributed') as source,
    case when weighed.source is null then 'unattributed' else coalesce(weighed.campaign, 'none told') end as campaign,
    coalesce(weighed.place, 1) as place,
    coalesce(weighed.touches, 0) as touches,
    weighed.age_days,
    case when coalesce(weighed.place, 1) = 1 then 1.0e0 else 0.0e0 end as credit_first,
    case when coalesce(weighed.place, 1) = coalesce(weighed.touches, 1) then 1.0e0 else 0.0e0 end as credit_last,
    1.0e0 / coalesce(weighed.touches, 1) as credit_linear,
    case
        when coalesce(weighed.touches, 1) = 1 then 1.0e0
        when weighed.touches = 2
            then case when weighed.place = 1 then weighed.first_share else weighed.last_share end
                / nullif(weighed.first_share + weighed.last_share, 0)
        when weighed.place = 1 then weighed.first_share
        when weighed.place = weighed.touches then weighed.last_share
        else (1 - weighed.first_share - weighed.last_share) / (weighed.touches - 2)
    end as credit_position,
    coalesce(weighed.freshness / nullif(weighed.freshness_total, 0), 1.0e0) as credit_time_decay
from conversions
left join weighed on conversions.source = weighed.conversion_source and conversions.event_id = weighed.conversion_id
