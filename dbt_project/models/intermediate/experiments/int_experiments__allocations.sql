-- One row per program, experiment, segment, batch and arm that people of the batch could get, with the chance of it.
-- Past experiments, and those launched before sends had batches, are one batch with the planned shares.

with

arms as (
    select * from {{ ref('int_experiments__arms') }}
),

launched as (
    select distinct program, experiment_id from {{ ref('stg_ledger__arms') }}
),

-- A past experiment of another program may bear the same id.
told as (
    select
        launched.program,
        allocations.*
    from {{ ref('stg_ledger__allocations') }} as allocations
    inner join launched on allocations.experiment_id = launched.experiment_id
),

batched as (
    select
        program,
        experiment_id,
        max(batch) as batches
    from told
    group by program, experiment_id
)

select
    arms.program,
    arms.experiment_id,
    arms.segment,
    coalesce(told.batch, 1) as batch,
    arms.creative_id,
    arms.role,
    coalesce(told.probability, arms.planned_share) as probability,
    arms.are_shares_known,
    coalesce(batched.batches, 1) as batches
from arms
left join batched on arms.program = batched.program and arms.experiment_id = batched.experiment_id
left join told
    on
        arms.program = told.program
        and arms.experiment_id = told.experiment_id
        and arms.segment = told.segment
        and arms.creative_id = told.creative_id
-- What a later file adds to an experiment came after people were dealt to the arms: it had no chance then.
where coalesce(told.probability, arms.planned_share) > 0 and not arms.is_late
