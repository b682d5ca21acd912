-- One row per program with an activation: its steps in order as a pattern for `like` over the tokens of a person's steps.

with

steps as (
    select * from {{ ref('int_people__activation_steps') }}
),

tokens as (
    select
        program,
        event_name,
        min(step_number) as token
    from steps
    group by program, event_name
)

select
    steps.program,
    steps.within_days,
    concat('%', {{ joined_text("concat('|', tokens.token, '|%')", 'steps.step_number') }}) as pattern
from steps
inner join tokens on steps.program = tokens.program and steps.event_name = tokens.event_name
group by steps.program, steps.within_days
