-- One row per experiment and person, with the arm, the probability of it and the batch it was drawn in.

select
    experiment_id,
    user_id,
    segment,
    creative_id,
    probability,
    batch,
    assigned_at
from {{ source('ledger', 'assignments') }}
