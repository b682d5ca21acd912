-- One row per program and metric that any of its definitions named: as the last one did that names it.
-- What was a guardrail when it was looked at does not become an objective because it was taken out of the program since.

with

listed as (
    select
        program,
        version,
        recorded_at,
        {{ each_item(json_list('spec', '$.metrics'), 'metric') }}
    from {{ source('ledger', 'programs') }}
),

named as (
    select
        program,
        version,
        recorded_at,
        {{ metric_fields('metric') }}
    from listed
),

ranked as (
    select
        *,
        row_number() over (partition by program, metric order by recorded_at desc, version desc) as from_the_last
    from named
)

select
    program,
    metric,
    at_least,
    value_kind,
    role,
    harm_direction,
    harm_margin
from ranked
where from_the_last = 1
