-- Fails when staging loses or invents an event: what it kept and the duplicates it counted are exactly what was
-- received, and as many as the instants tell.

{{ config(meta={'dagster': {'ref': {'name': 'stg_events__events'}}}) }}

select
    received.events as received,
    kept.events as kept,
    kept.duplicates
from (select count(*) as events from {{ ref('stg_events__received') }}) as received
cross join (
    select
        count(*) as events,
        coalesce(sum(duplicates), 0) as duplicates
    from {{ ref('stg_events__events') }}
) as kept
cross join (select coalesce(sum(events), 0) as events from {{ ref('stg_events__instants') }}) as told
where received.events <> kept.events + kept.duplicates or received.events <> told.events
