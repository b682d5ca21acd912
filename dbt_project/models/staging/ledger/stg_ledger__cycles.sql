-- One row per program and cycle that was run; a cycle that was run again keeps its first as-of time, so that history does not move.

with

runs as (
    select
        *,
        row_number() over (partition by program, cycle order by recorded_at, as_of) as run_number
    from {{ source('ledger', 'cycles') }}
)

select
    program,
    cycle,
    as_of,
    program_version,
    lag(as_of) over (partition by program order by cycle) as previous_as_of
from runs
where run_number = 1
