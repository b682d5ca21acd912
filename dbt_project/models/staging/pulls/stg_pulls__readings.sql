-- One row per window of a report and day in it, with the span in which that reading was the platform's word: until the next one of the
-- same account, report and day. A reading is recorded after its rows, so rows without one belong to a pull that was stopped.

with

readings as (
    select * from {{ source('raw', 'pull_readings') }}
),

days_read as (
    select
        *,
        {{ numbers_to(days_between('first_day', 'last_day')) }} as day_number
    from readings
),

days as (
    select
        reading_id,
        source,
        provider,
        account_id,
        stream,
        level,
        {{ days_after('first_day', 'day_number') }} as day,
        extracted_at
    from days_read
)

select
    reading_id,
    source,
    provider,
    account_id,
    stream,
    level,
    day,
    extracted_at,
    lead(extracted_at) over (
        partition by source, account_id, stream, day order by extracted_at, reading_id
    ) as superseded_at
from days
