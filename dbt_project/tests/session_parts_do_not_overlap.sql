-- Fails when a part of a person's day begins before another has ended: they are one. Asked of the days that the last build wrote.

with

parts as (
    select
        user_id,
        activity_on,
        started_at,
        max(ended_at) over (
            partition by user_id, activity_on
            order by started_at, ended_at
            rows between unbounded preceding and 1 preceding
        ) as reached_at
    from {{ ref('int_people__session_parts') }}
    where received_events = (select max(received_events) from {{ ref('int_people__session_parts') }})
)

select *
from parts
where started_at <= reached_at
