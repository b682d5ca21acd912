-- One row per message handed to a channel, or that would have been in a dry run.

select
    send_id,
    experiment_id,
    user_id,
    creative_id,
    channel,
    is_dry_run,
    scheduled_at
from {{ source('ledger', 'sends') }}
