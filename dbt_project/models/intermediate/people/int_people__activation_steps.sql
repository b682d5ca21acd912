-- One row per program and step of its activation, in the program's latest definition; none for a program without one.

with

programs as (
    select * from {{ ref('stg_ledger__programs') }}
),

listed as (
    select
        program,
        {{ json_list('spec', '$.activation.steps') }} as steps,
        cast({{ json_text('spec', '$.activation.within_days') }} as integer) as within_days
    from programs
)

select
    program,
    within_days,
    {{ each_item_in_order('steps', 'event_name', 'step_number') }}
from listed
