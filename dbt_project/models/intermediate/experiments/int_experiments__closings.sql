-- One row per program, experiment and metric that is closed and mature: the cycle in which it enters the evidence, once and for all.
-- Live: every assigned person's window has passed. Past: the last cycle of the file it came with; what a later file adds is late.

with

statistics as (
    select * from {{ ref('experiment_statistics') }}
),

past as (
    select
        program,
        experiment_id,
        min(closes_in_cycle) as entered_in_cycle
    from {{ ref('stg_imports__results') }}
    group by program, experiment_id
),

assigned as (
    select
        experiment_id,
        cast(count(*) as double) as people
    from {{ ref('stg_ledger__assignments') }}
    group by experiment_id
),

counted as (
    select
        program,
        experiment_id,
        metric,
        sum(n) as people,
        max(cycle) as last_cycle
    from statistics
    group by program, experiment_id, metric
)

select
    counted.program,
    counted.experiment_id,
    counted.metric,
    coalesce(past.entered_in_cycle, counted.last_cycle) as entered_in_cycle
from counted
left join past on counted.program = past.program and counted.experiment_id = past.experiment_id
left join assigned on counted.experiment_id = assigned.experiment_id
where past.experiment_id is not null or counted.people = assigned.people
