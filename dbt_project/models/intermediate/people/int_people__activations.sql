-- One row per program with an activation and person who signed up: whether the steps were taken, in order, in time.
-- A person's events in the window become a text such as |1||2||1||3|, and the steps a pattern such as %|1|%|2|%|3|%.
-- Made anew are the people of whom a sign-up or a step is new, if it can lie in their window; everyone where a definition is new.

{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['program', 'user_id'],
    on_schema_change='fail',
    pre_hook=["{{ forget_merged_people() }}", "{{ without_rows(this, is_no_longer_defined()) }}"],
) }}

{% set since = activations_owed_since(this) %}

with

steps as (
    select * from {{ ref('int_people__activation_steps') }}
),

people as (
    select
        user_id,
        signed_up_at,
        signed_up_on
    from {{ ref('int_people') }}
    where signed_up_at is not null {{ 'and signed_up_on >= ' ~ since if since }}
),

learned as (
    select
        max(built_through) as built_through,
        max(received_events) as received_events
    from {{ ref('int_people__moments') }}
),

-- A step named twice keeps one token, that of its first place: the pattern then asks for two such events.
tokens as (
    select
        program,
        event_name,
        within_days,
        min(step_number) as token
    from steps
    group by program, event_name, within_days
),

patterns as (
    select
        steps.program,
        steps.within_days,
        concat('%', {{ joined_text("concat('|', tokens.token, '|%')", 'steps.step_number') }}) as pattern,
        {{ names_of_steps('steps') }} as step_names
    from steps
    inner join tokens on steps.program = tokens.program and steps.event_name = tokens.event_name
    group by steps.program, steps.within_days
),

{% if since %}
    touched as (
        select distinct user_id from {{ ref('int_people__moments') }} where received_events > {{ received_by(this) }}
    ),
{% endif %}

looked_at as (
    select
        patterns.*,
        people.user_id,
        people.signed_up_at,
        {{ time_after_days('people.signed_up_at', 'patterns.within_days') }} as window_ends_at
    from patterns
    cross join people
    {% if since %} inner join touched on people.user_id = touched.user_id {% endif %}
),

-- Events of the same instant count in the order of the steps: sources often tell only the day.
walks as (
    select
        looked_at.program,
        looked_at.user_id,
        {{ joined_text("concat('|', tokens.token, '|')", 'moments.occurred_at, tokens.token') }} as walk
    from looked_at
    inner join {{ ref('int_people__moments') }} as moments
        on
            looked_at.user_id = moments.user_id
            and moments.is_human
            {{ 'and moments.activity_on >= ' ~ since if since }}
            and moments.occurred_at >= looked_at.signed_up_at
            and moments.occurred_at < looked_at.window_ends_at
    inner join tokens on looked_at.program = tokens.program and moments.event_name = tokens.event_name
    group by looked_at.program, looked_at.user_id
)

select
    looked_at.program,
    looked_at.user_id,
    looked_at.within_days,
    looked_at.step_names,
    looked_at.window_ends_at,
    coalesce(walks.walk like looked_at.pattern, false) as is_activated,
    learned.built_through,
    learned.received_events
from looked_at
cross join learned
left join walks on looked_at.program = walks.program and looked_at.user_id = walks.user_id
