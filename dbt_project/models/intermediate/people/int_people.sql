-- One row per person: who may be mailed, in which segment, since when, invited by whom. The audience that deploy reads.
-- Whether a person may be mailed is decided by the latest word; of two words of the same instant the refusal holds.

with

events as (
    select * from {{ ref('stg_events__events') }}
    where user_id is not null and bot_reason is distinct from 'test traffic'
),

identifies as (
    select * from {{ ref('stg_events__identifies') }}
),

user_days as (
    select * from {{ ref('int_people__user_days') }}
),

traits as (
    select
        user_id,
        max_by(segment, case when segment is not null then identify_number end) as segment,
        max_by(timezone, case when timezone is not null then identify_number end) as timezone,
        max_by(country, case when country is not null then identify_number end) as country
    from identifies
    group by user_id
),

words as (
    select
        user_id,
        occurred_at,
        has_consent as is_yes
    from identifies
    where has_consent is not null
    union all
    select
        user_id,
        occurred_at,
        false as is_yes
    from events
    where
        event_name in ('Unsubscribed', 'Email Marked as Spam')
        or (
            event_name = 'Email Bounced'
            and coalesce(
                lower({{ json_text('properties', '$.bounce_type') }}) in ('permanent', 'hard'),
                {{ json_text('properties', '$.reason') }} in ('invalid', 'bounced', 'spam', 'unsubscribed')
            )
        )
),

last_words as (
    select
        user_id,
        occurred_at,
        is_yes,
        row_number() over (partition by user_id order by occurred_at desc, is_yes) as from_the_last
    from words
),

seen as (
    select
        user_id,
        min(occurred_at) as first_seen_at,
        min(case when event_name = 'Signed Up' and is_human then occurred_at end) as signed_up_at,
        nullif(
            min_by(
                {{ json_text('properties', '$.invited_by') }}, case when event_name = 'Signed Up' and is_human then occurred_at end
            ), user_id
        ) as invited_by
    from events
    group by user_id
),

lives as (
    select
        user_id,
        max(last_event_at) as last_active_at,
        cast(sum(orders) as bigint) as orders,
        max(case when orders > 0 then activity_on end) as last_ordered_on
    from user_days
    group by user_id
)

select
    seen.user_id,
    traits.segment,
    case when traits.segment is null or traits.segment = 'all' then 'unknown' else traits.segment end as reported_segment,
    traits.timezone,
    traits.country,
    seen.invited_by,

    coalesce(lives.orders, 0) as orders,

    coalesce(last_words.is_yes, true) as is_subscribed,

    seen.first_seen_at,
    seen.signed_up_at,
    cast(seen.signed_up_at as date) as signed_up_on,
    {{ week_of('seen.signed_up_at') }} as cohort_week,
    case when not last_words.is_yes then last_words.occurred_at end as unsubscribed_at,
    lives.last_active_at,
    lives.last_ordered_on
from seen
left join traits on seen.user_id = traits.user_id
left join last_words on seen.user_id = last_words.user_id and last_words.from_the_last = 1
left join lives on seen.user_id = lives.user_id
