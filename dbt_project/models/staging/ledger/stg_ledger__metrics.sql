-- One row per program and metric of its latest definition.

select
    program,
    metric,
    event_name,
    after_days,
    within_days,
    at_least,
    value_kind,
    cap,
    role,
    harm_direction,
    harm_margin
from {{ ref('stg_ledger__metric_definitions') }}
where is_latest
