-- One row per experiment and person, with the arm and the probability of it.

select
    experiment_id,
    user_id,
    segment,
    creative_id,
    probability,
    assigned_at
from {{ source('ledger', 'assignments') }}
