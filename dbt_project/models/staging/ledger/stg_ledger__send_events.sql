-- One row per event of a message in an outbox: a line of the sender's journal, as the ledger has its copy.

select
    outbox_id,
    sequence,
    send_id,
    state,
    case
        when state = 'accepted' or (state = 'resolved' and detail like 'sent%') then 'sent'
        when state = 'refused' or (state = 'resolved' and detail like 'not_sent%') then 'refused'
        when state = 'withheld' then 'held_back'
        when state in ('attempted', 'unknown') then 'unknown'
        else 'waiting'
    end as standing,
    occurred_at,
    sender,
    reference,
    detail,
    recorded_at
from {{ source('ledger', 'send_events') }}
