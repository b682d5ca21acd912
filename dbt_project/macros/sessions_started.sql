{#
    Query of the sessions that started on some days, as literals, or on all. A part is a session, but where it goes on within the gap after
    midnight. It may run over one midnight, not two: what began within the gap after a midnight may itself be a continuation, and nothing
    continues it into the next day. So a day's sessions follow from that day's parts and its neighbours'.

    A macro and not a view that days are asked of: DuckDB reads what a view names twice whole, and a day would cost all of history.
#}
{% macro sessions_started(days=none) %}
{%- set parts = ref('int_people__session_parts') -%}
with

terms as (
    select {{ policy('session_gap_minutes') }} * 60 as gap_seconds
),

-- Only parts within the gap of a midnight can go on beyond it, or be what goes on.
beside as (
    select
        *,
        lag(activity_on) over person_so_far as before_on,
        lag(started_at) over person_so_far as before_started_at,
        lag(ended_at) over person_so_far as before_ended_at
    from {{ parts }}
    where
        is_near_midnight
        {% if days is not none %} and {{ any_of('activity_on', days_around(days, 1, 1)) }} {% endif %}
    window person_so_far as (partition by user_id order by started_at)
),

joined_at_midnight as (
    select
        beside.*,
        coalesce(
            beside.before_on < beside.activity_on
            and {{ seconds_between('beside.before_ended_at', 'beside.started_at') }} <= terms.gap_seconds
            and {{ seconds_between('cast(beside.before_on as timestamp)', 'beside.before_started_at') }} > terms.gap_seconds,
            false
        ) as is_continuation
    from beside
    cross join terms
),

followed as (
    select
        *,
        lead(is_continuation) over person_so_far as goes_on,
        lead(ended_at) over person_so_far as next_ended_at,
        lead(events) over person_so_far as next_events,
        lead(clicks) over person_so_far as next_clicks
    from joined_at_midnight
    window person_so_far as (partition by user_id order by started_at)
),

sessions as (
    select
        user_id,
        activity_on as started_on,
        started_at,
        ended_at,
        events,
        clicks
    from {{ parts }}
    where not is_near_midnight
    union all
    select
        user_id,
        activity_on as started_on,
        started_at,
        case when goes_on then next_ended_at else ended_at end as ended_at,
        events + case when goes_on then next_events else 0 end as events,
        clicks + case when goes_on then next_clicks else 0 end as clicks
    from followed
    where not is_continuation
)

select
    *,
    cast({{ seconds_between('started_at', 'ended_at') }} as double) as length_seconds
from sessions
{% if days is not none %} where {{ any_of('started_on', days) }} {% endif %}
{% endmacro %}
