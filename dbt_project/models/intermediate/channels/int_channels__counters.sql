-- One row per look at a lifetime counter of an item, with what changed since the look before. Losses stand apart from gains, so that
-- gains - losses adds up to the total; a first look is all gain.

{{ config(materialized='table') }}

with

looks as (
    {% for network in ['stg_channels__counters', 'stg_bluesky__counters', 'stg_mastodon__counters'] %}
        select
            provider,
            account_id,
            item_id,
            counter,
            total,
            observed_at,
            extracted_at
        from {{ ref(network) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

compared as (
    select
        *,
        lag(total) over same_counter as total_before,
        lag(observed_at) over same_counter as observed_before,
        row_number() over same_counter as look_number
    from looks
    window same_counter as (partition by provider, account_id, item_id, counter order by observed_at)
)

select
    provider,
    account_id,
    item_id,
    counter,
    look_number,
    total,
    total_before,
    greatest(total - coalesce(total_before, 0), 0) as gain,
    greatest(coalesce(total_before, 0) - total, 0) as loss,
    observed_at,
    observed_before,
    extracted_at
from compared
