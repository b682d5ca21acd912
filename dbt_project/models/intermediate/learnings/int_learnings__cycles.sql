-- One row per program and cycle, numbered: the looks at which something could have been learned.

with

cycles as (
    select program, cycle from {{ ref('experiment_statistics') }}
    union
    select program, cycle from {{ ref('stg_ledger__cycles') }}
)

select
    program,
    cycle,
    cast(row_number() over (partition by program order by cycle) as bigint) as cycle_number
from cycles
