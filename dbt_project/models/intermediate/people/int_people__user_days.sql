-- One row per person and UTC day on which the person did something: the days of int_people__known_days that have activity.

{{ config(materialized='view') }}

select
    user_id,
    activity_on,
    events,
    first_event_at,
    last_event_at,
    built_through
from {{ ref('int_people__known_days') }}
where events > 0
