-- One row per program, experiment, segment, creative, metric and cycle of past experiments: one increment of sufficient statistics.
-- Two imports that hold the same increment count once, the first one taken.

with

increments as (
    select
        *,
        row_number() over (
            partition by program, experiment_id, segment, creative_id, metric, cycle order by imported_at, import_id, n, sum_y
        ) as copy_number
    from {{ source('raw', 'results') }}
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
    import_id
from increments
where copy_number = 1
