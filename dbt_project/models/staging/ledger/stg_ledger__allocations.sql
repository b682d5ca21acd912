-- One row per experiment, segment, batch and arm: the chance people of the batch had of the arm.

select
    experiment_id,
    segment,
    batch,
    creative_id,
    probability,
    units_seen,
    sum_seen,
    reason,
    recorded_at
from {{ source('ledger', 'allocations') }}
