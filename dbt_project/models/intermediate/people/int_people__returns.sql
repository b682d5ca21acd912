-- One row per UTC day, sign-up day, segment and number of days since the person was last active: how many people that is.
-- Whoever is active for the first time in a week, a bracket or a month is the one whose last activity lies before it. So every distinct
-- count of the growth marts is a sum over these rows, and a new day costs the days within reach of it, whatever the history.
-- Activity before the own sign-up day has no sign-up day.

{{ config(
    materialized='incremental',
    on_schema_change='fail',
    pre_hook="{{ without_days(this, 'activity_on', (returning_days(this) or {}).get('made', [])) }}",
    **replaced_by('activity_on'),
) }}

{% set days = returning_days(this) %}

with

terms as (
    select * from {{ ref('int_growth_terms') }}
),

people as (
    select
        user_id,
        reported_segment,
        first_active_on,
        signed_up_on,
        signed_up_at
    from {{ ref('int_people') }}
),

user_days as (
    select
        user_id,
        activity_on,
        first_event_at,
        last_event_at
    from {{ ref('int_people__user_days') }}
    {% if days is not none %}
        where {{ any_of('activity_on', days.read) }} {{ 'and activity_on >= ' ~ days.made | first if days.made }}
    {% endif %}
),

{% if days is not none %}
    -- Of the days before those, only the last activity matters. Of everyone: to look for those of user_days first takes longer.
    earlier as (
        select
            user_id,
            max(last_event_at) as last_event_at
        from {{ ref('int_people__user_days') }}
        where
            {{ any_of('activity_on', days.read) }} {{ 'and activity_on < ' ~ days.made | first if days.made }}
        group by user_id
    ),
{% endif %}

learned as (
    select
        max(built_through) as built_through,
        max(received_events) as received_events
    from {{ ref('int_people__known_days') }}
),

told as (
    select
        *,
        lag(last_event_at) over (partition by user_id order by activity_on) as active_before_at
    from user_days
),

followed as (
    select
        told.user_id,
        told.activity_on,
        told.first_event_at,
        told.last_event_at,
        {% if days is not none %}
            coalesce(told.active_before_at, earlier.last_event_at) as active_before_at
        {% else %}
            told.active_before_at
        {% endif %}
    from told
    {% if days is not none %}
        left join earlier on told.user_id = earlier.user_id
        where {{ any_of('told.activity_on', days.made) }}
    {% endif %}
),

placed as (
    select
        followed.activity_on,
        followed.first_event_at,
        followed.last_event_at,
        people.reported_segment,
        followed.active_before_at,
        cast(followed.active_before_at as date) as active_before_on,
        followed.activity_on = people.first_active_on as is_first_ever,
        case when followed.activity_on >= people.signed_up_on then people.signed_up_on end as signed_up_on,
        {{ days_between('people.signed_up_on', 'followed.activity_on') }} as age,
        {{ days_between('people.signed_up_on', 'cast(followed.active_before_at as date)') }} as age_before,
        people.signed_up_at
    from followed
    inner join people on followed.user_id = people.user_id
),

gapped as (
    select
        placed.*,
        terms.bracket_days,
        cast(
            case
                when not placed.is_first_ever
                    then
                        least(
                            coalesce({{ days_between('placed.active_before_on', 'placed.activity_on') }}, terms.reach_days + 1),
                            terms.reach_days + 1
                        )
            end as integer
        ) as days_since_last
    from placed
    cross join terms
),

-- Counted from the sign-up's own hour, a day of the calendar spans two windows of 24 hours, those numbered age - 1 and age.
windowed as (
    select
        *,
        coalesce(age > 0 and first_event_at < {{ time_after_days('signed_up_at', 'age') }}, false) as is_in_older,
        coalesce(age >= 0 and last_event_at >= {{ time_after_days('signed_up_at', 'age') }}, false) as is_in_newer,
        case when active_before_at < {{ time_after_days('signed_up_at', 'age_before') }} then age_before - 1 else age_before end
            as window_before
    from gapped
),

bracketed as (
    select
        *,
        {{ bracket_of('age - 1', 'bracket_days') }} as older_bracket,
        {{ bracket_of('age', 'bracket_days') }} as newer_bracket,
        coalesce({{ bracket_of('window_before', 'bracket_days') }}, -1) as bracket_before
    from windowed
),

counted as (
    select
        activity_on,
        signed_up_on,
        reported_segment as segment,
        days_since_last,
        count(*) as people,
        count(case when is_in_older and coalesce(window_before, -1) < age - 1 then 1 end) as people_in_older_window,
        count(case when is_in_newer then 1 end) as people_in_newer_window,
        count(case when is_in_older and bracket_before < older_bracket then 1 end) as people_in_older_bracket,
        count(
            case when is_in_newer and bracket_before < newer_bracket and not (is_in_older and older_bracket = newer_bracket) then 1 end
        ) as people_in_newer_bracket
    from bracketed
    group by activity_on, signed_up_on, reported_segment, days_since_last
)

select
    counted.*,
    learned.built_through,
    learned.received_events
from counted
cross join learned
