-- One row per program and metric of its latest definition.

with

programs as (
    select * from {{ ref('stg_ledger__programs') }}
),

listed as (
    select
        program,
        {{ each_item(json_list('spec', '$.metrics'), 'metric') }}
    from programs
)

select
    program,
    {{ metric_fields('metric') }}
from listed
