-- One row per program, list of activation steps that a metric of any of its definitions counts, and place in the list. A view: an
-- experiment keeps the list it started under, whatever the program's activation is now.

{{ config(materialized='view') }}

with

definitions as (
    select distinct
        program,
        steps
    from {{ ref('stg_ledger__metric_definitions') }}
    where steps is not null
),

listed as (
    select
        program,
        steps,
        {{ each_item_in_order(json_list('steps', '$'), 'event_name', 'step_number') }}
    from definitions
)

select
    program,
    steps,
    step_number,
    event_name,
    min(step_number) over (partition by program, steps, event_name) as token
from listed
