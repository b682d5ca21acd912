-- One row per provider, account, level and day that was read at all, in a file or by a pull, also where there was nothing to report: a day
-- without rows is a day without spend only if somebody looked.

with

readings as (
    {% for told in ['stg_channels__windows', 'stg_pulls__readings'] %}
        select
            provider,
            account_id,
            level,
            day,
            extracted_at
        from {{ ref(told) }}
        where level in ('account', 'campaign', 'ad_set', 'ad')
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    provider,
    account_id,
    level,
    day,
    max(extracted_at) as extracted_at,
    max(cast(extracted_at as date)) > day as is_whole
from readings
group by provider, account_id, level, day
