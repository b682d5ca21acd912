-- One row per message that was dealt, or would have been in a dry run; its journal says whether it was handed to the channel.

select
    send_id,
    experiment_id,
    user_id,
    creative_id,
    channel,
    is_dry_run,
    scheduled_at
from {{ source('ledger', 'sends') }}
