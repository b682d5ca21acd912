-- One row per person: who may be mailed, in which segment, since when, invited by whom. The audience that deploy reads.
-- Whether a person may be mailed is decided by the latest word; of two words of the same instant the refusal holds.
-- A build makes anew the people of the days that were made anew; the span of their activity is widened from the row they had.

{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='user_id',
    on_schema_change='fail',
    pre_hook="{{ forget_merged_people() }}",
) }}

with

-- Tables are named wherever they are read, not once for all: a shared reading would be one of everything.
new_days as (
    select * from {{ ref('int_people__known_days') }}
    {% if is_incremental() %} where received_events > {{ received_by(this) }} {% endif %}
),

identifies as (
    select * from {{ ref('stg_events__identifies') }}
),

{% if is_incremental() %}
    -- What a person's row says of a day that lost its activity since is not believed: that person's days are read again.
    lost as (
        select people.user_id
        from {{ this }} as people
        inner join new_days
            on people.user_id = new_days.user_id and new_days.activity_on in (people.first_active_on, cast(people.last_active_at as date))
        where
            (new_days.activity_on = people.first_active_on and new_days.events = 0)
            or (
                new_days.activity_on = cast(people.last_active_at as date)
                and coalesce(new_days.last_event_at < people.last_active_at, true)
            )
        group by people.user_id
    ),
{% endif %}

spans as (
    select
        user_id,
        first_seen_at,
        case when events > 0 then activity_on end as active_on,
        last_event_at
    from new_days
    {% if is_incremental() %}
        union all
        select
            user_id,
            first_seen_at,
            first_active_on as active_on,
            last_active_at as last_event_at
        from {{ this }}
        where user_id in (select user_id from new_days) and user_id not in (select user_id from lost)
        union all
        select
            user_id,
            first_seen_at,
            case when events > 0 then activity_on end as active_on,
            last_event_at
        from {{ ref('int_people__known_days') }}
        where user_id in (select user_id from lost)
    {% endif %}
),

seen as (
    select
        user_id,
        min(first_seen_at) as first_seen_at,
        min(active_on) as first_active_on,
        max(last_event_at) as last_active_at
    from spans
    group by user_id
),

orders as (
    select
        user_id,
        cast(sum(orders) as bigint) as orders,
        max(activity_on) as last_ordered_on
    from {{ ref('int_people__known_days') }}
    where
        orders > 0
        {% if is_incremental() %} and user_id in (select user_id from new_days) {% endif %}
    group by user_id
),

sign_ups as (
    select
        user_id,
        min(occurred_at) as signed_up_at,
        min_by(settled_at, occurred_at) as sign_up_known_at,
        nullif(min_by(invited_by, occurred_at), user_id) as invited_by
    from {{ ref('int_people__moments') }}
    where
        event_name = 'Signed Up' and is_human
        {% if is_incremental() %} and user_id in (select user_id from new_days) {% endif %}
    group by user_id
),

traits as (
    select
        user_id,
        max_by(segment, case when segment is not null then identify_number end) as segment,
        min_by(segment, case when segment is not null then identify_number end) as first_segment,
        min_by(ingested_at, case when segment is not null then identify_number end) as segment_known_at,
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
    from {{ ref('int_people__moments') }}
    where
        is_refusal
        {% if is_incremental() %} and user_id in (select user_id from new_days) {% endif %}
),

last_words as (
    select
        user_id,
        occurred_at,
        is_yes,
        row_number() over (partition by user_id order by occurred_at desc, is_yes) as from_the_last
    from words
),

learned as (
    select
        max(built_through) as built_through,
        max(received_events) as received_events
    from {{ ref('int_people__known_days') }}
)

select
    seen.user_id,
    traits.segment,
    case when traits.first_segment is null or traits.first_segment = 'all' then 'unknown' else traits.first_segment end as reported_segment,
    traits.timezone,
    traits.country,
    sign_ups.invited_by,

    coalesce(orders.orders, 0) as orders,

    coalesce(last_words.is_yes, true) as is_subscribed,

    seen.first_seen_at,
    seen.first_active_on,
    sign_ups.signed_up_at,
    cast(sign_ups.signed_up_at as date) as signed_up_on,
    {{ week_of('sign_ups.signed_up_at') }} as cohort_week,
    case when not last_words.is_yes then last_words.occurred_at end as unsubscribed_at,
    seen.last_active_at,
    orders.last_ordered_on,
    sign_ups.sign_up_known_at,
    traits.segment_known_at,
    learned.built_through,
    learned.received_events
from seen
cross join learned
left join traits on seen.user_id = traits.user_id
left join sign_ups on seen.user_id = sign_ups.user_id
left join last_words on seen.user_id = last_words.user_id and last_words.from_the_last = 1
left join orders on seen.user_id = orders.user_id
