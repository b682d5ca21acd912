-- One row per person: who may be mailed, in which segment, since when, invited by whom. The audience that deploy reads.
-- Whether a person may be mailed is decided by the latest word; of two words of the same instant the refusal holds.
-- A build makes anew the people of whom something is new. What it adds widens the row they had; of those of whom a day was made anew, and
-- may have lost what their row says of it, everything is read again.

{{ config(
    materialized='incremental',
    on_schema_change='fail',
    pre_hook="{{ forget_merged_people() }}",
    **refreshed_by('user_id', ['last_active_at', 'built_through', 'received_events']),
) }}

{% set made = days_made_anew(this, ref('int_people__known_days')) %}

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
    read_again as (
        select distinct user_id from new_days where {{ any_of('activity_on', made) }}
    ),

    held as (
        select * from {{ this }}
        where user_id in (select user_id from new_days) {% if made %} and user_id not in (select user_id from read_again) {% endif %}
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
        from held
    {% endif %}
    {% if made %}
        union all
        select
            user_id,
            first_seen_at,
            case when events > 0 then activity_on end as active_on,
            last_event_at
        from {{ ref('int_people__known_days') }}
        where user_id in (select user_id from read_again)
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

told_sign_ups as (
    select
        user_id,
        occurred_at,
        settled_at,
        nullif(nullif(invited_by, ''), user_id) as invited_by
    from {{ ref('int_people__moments') }}
    where
        event_name = 'Signed Up' and is_human
        {% if is_incremental() %}
            and (received_events > {{ received_by(this) }} {% if made %} or user_id in (select user_id from read_again) {% endif %})
        {% endif %}
    {% if is_incremental() %}
        union all
        select
            user_id,
            signed_up_at as occurred_at,
            sign_up_known_at as settled_at,
            invited_by
        from held
        where signed_up_at is not null
    {% endif %}
),

-- Of two sign-ups of the same instant the one that names an inviter counts.
sign_ups_in_order as (
    select
        *,
        row_number() over (
            partition by user_id
            order by occurred_at, case when invited_by is null then 1 else 0 end, settled_at, invited_by
        ) as sign_up_number
    from told_sign_ups
),

sign_ups as (
    select
        user_id,
        occurred_at as signed_up_at,
        settled_at as sign_up_known_at,
        invited_by
    from sign_ups_in_order
    where sign_up_number = 1
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

    coalesce(last_words.is_yes, true) as is_subscribed,

    seen.first_seen_at,
    seen.first_active_on,
    sign_ups.signed_up_at,
    cast(sign_ups.signed_up_at as date) as signed_up_on,
    {{ week_of('sign_ups.signed_up_at') }} as cohort_week,
    case when not last_words.is_yes then last_words.occurred_at end as unsubscribed_at,
    seen.last_active_at,
    sign_ups.sign_up_known_at,
    traits.segment_known_at,
    learned.built_through,
    learned.received_events
from seen
cross join learned
left join traits on seen.user_id = traits.user_id
left join sign_ups on seen.user_id = sign_ups.user_id
left join last_words on seen.user_id = last_words.user_id and last_words.from_the_last = 1
