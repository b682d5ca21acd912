-- One row: the instant this build looks from, and the first day it has not seen in full. Every maturity rule reads it.
-- A day counts as seen only while activity still arrived: after an import that ends in May, June is unknown, not empty.

with

cycles as (
    select max(as_of) as as_of from {{ source('ledger', 'cycles') }}
),

learned as (
    select * from {{ ref('stg_events__learned') }}
),

events as (
    select max(case when events > 0 then activity_on end) as last_active_on
    from {{ ref('int_people__known_days') }}
),

looked as (
    select
        coalesce(cycles.as_of, learned.built_through) as as_of,
        events.last_active_on
    from cycles
    cross join learned
    cross join events
)

select
    as_of,
    cast(as_of as date) as as_of_day,
    least(cast(as_of as date), {{ days_after('last_active_on', 1) }}) as unseen_from
from looked
