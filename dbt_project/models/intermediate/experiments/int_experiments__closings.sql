-- One row per program, experiment and metric that is closed and mature: the cycle in which it enters the evidence, once and for all.
-- Live: every assigned person's window has passed. Past: the first look of the program at or after the closing cycle of the file that was
-- taken in first; what a later file adds moves nothing. Before there is such a look it is open.

with

statistics as (
    select * from {{ ref('experiment_statistics') }}
),

past as (
    select
        program,
        experiment_id,
        min(case when is_of_first_file then closes_in_cycle end) as closes_in_cycle
    from {{ ref('stg_imports__results') }}
    group by program, experiment_id
),

looks as (
    select program, cycle from statistics
    union
    select program, cycle from {{ ref('stg_ledger__cycles') }}
),

entries as (
    select
        past.program,
        past.experiment_id,
        min(looks.cycle) as entered_in_cycle
    from past
    inner join looks on past.program = looks.program and past.closes_in_cycle <= looks.cycle
    group by past.program, past.experiment_id
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
    coalesce(entries.entered_in_cycle, counted.last_cycle) as entered_in_cycle
from counted
left join past on counted.program = past.program and counted.experiment_id = past.experiment_id
left join entries on counted.program = entries.program and counted.experiment_id = entries.experiment_id
left join assigned on counted.experiment_id = assigned.experiment_id
where entries.experiment_id is not null or (past.experiment_id is null and counted.people = assigned.people)
