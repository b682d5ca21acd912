-- One row per program and step of its activation, in the program's latest definition; none for a program without one.

with

programs as (
    select * from {{ ref('stg_ledger__programs') }}
),

listed as (
    select
        program,
        cast(json_extract(spec, '$.activation.steps') as varchar[]) as steps,
        cast({{ json_text('spec', '$.activation.within_days') }} as integer) as within_days
    from programs
)

select
    program,
    within_days,
    unnest(steps) as event_name,
    generate_subscripts(steps, 1) as step_number
from listed
