-- One row per program, experiment, segment, creative, metric and cycle of past experiments: one increment of sufficient statistics.
-- Two imports that hold the same increment count once, the first one taken; what was withdrawn does not count.

{{ config(materialized='table') }}

with

keyed as (
    select
        *,
        {{ key_of(['program', 'experiment_id', 'segment', 'creative_id']) }} as arm_key
    from {{ source('raw', 'results') }}
    where import_id not in (select withdrawals.import_id from {{ source('raw', 'withdrawals') }} as withdrawals)
),

increments as (
    select
        *,
        row_number() over (partition by arm_key, metric, cycle order by imported_at, import_id, n, sum_y) as copy_number
    from keyed
)

select
    program,
    experiment_id,
    segment,
    creative_id,
    metric,
    cycle,
    n,
    sum_y,
    coalesce(sum_y2, sum_y) as sum_y2,
    planned_share,
    coalesce(is_baseline, false) as is_baseline,
    is_randomised,
    text,
    tags,
    closes_in_cycle,
    dense_rank() over (partition by program, experiment_id order by imported_at, import_id) = 1 as is_of_first_file,
    import_id,
    arm_key
from increments
where copy_number = 1
