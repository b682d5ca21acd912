-- One row per experiment, segment and arm, the holdout included.

with

arms as (
    select * from {{ source('ledger', 'arms') }}
),

experiments as (
    select * from {{ source('ledger', 'experiments') }}
),

creatives as (
    select * from {{ source('ledger', 'creatives') }}
)

select
    experiments.program,
    arms.experiment_id,
    experiments.cycle as launched_in_cycle,
    experiments.starts_at,
    experiments.tags_by_design,
    arms.segment,
    arms.creative_id,
    arms.arm_number,
    arms.role,
    arms.planned_share,
    creatives.text,
    coalesce(creatives.generator = 'proven', false) as is_resent
from arms
inner join experiments on arms.experiment_id = experiments.experiment_id
left join creatives on arms.creative_id = creatives.creative_id
