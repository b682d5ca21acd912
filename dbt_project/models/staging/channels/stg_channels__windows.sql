-- One row per reading of an account's day at one level that came in a file, also where it brought no rows at all.

select
    window_id,
    provider,
    account_id,
    level,
    day,
    extracted_at
from {{ source('raw', 'channel_windows') }}
