-- Fails when incremental builds drift from the events: user days must hold each activity event exactly once.

{{ config(meta={'dagster': {'ref': {'name': 'int_people__user_days'}}}) }}

select
    activity.events as expected,
    days.events as found
from (select count(*) as events from {{ ref('stg_events__events') }} where is_activity) as activity
cross join (select coalesce(sum(events), 0) as events from {{ ref('int_people__user_days') }}) as days
where activity.events <> days.events
