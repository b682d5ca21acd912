-- One row per look at a lifetime counter of an item: where a provider corrected what it had said of an instant, its last word.

with

looks as (
    select
        *,
        row_number() over (
            partition by provider, account_id, item_id, counter, observed_at
            order by extracted_at desc
        ) as word
    from {{ source('raw', 'channel_counters') }}
)

select
    provider,
    account_id,
    item_id,
    counter,
    total,
    observed_at,
    extracted_at
from looks
where word = 1
