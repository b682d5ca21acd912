-- One row per program, definition and metric: every definition that was ever recorded, numbered in the order they came.

with

definitions as (
    select
        *,
        row_number() over (partition by program order by recorded_at, version) as definition_number,
        row_number() over (partition by program order by recorded_at desc, version desc) as from_the_last
    from {{ source('ledger', 'programs') }}
),

listed as (
    select
        program,
        definition_number,
        recorded_at,
        from_the_last = 1 as is_latest,
        {{ json_text('spec', '$.activation.steps') }} as steps,
        {{ each_item(json_list('spec', '$.metrics'), 'metric') }}
    from definitions
)

select
    program,
    definition_number,
    recorded_at,
    is_latest,
    {{ json_text('metric', '$.name') }} as metric,
    {{ json_text('metric', '$.event') }} as event_name,
    case when {{ json_text('metric', '$.event') }} = 'Activation Step' then steps end as steps,
    cast(coalesce({{ json_text('metric', '$.after_days') }}, '0') as integer) as after_days,
    cast({{ json_text('metric', '$.within_days') }} as integer) as within_days,
    cast({{ json_text('metric', '$.at_least') }} as double) as at_least,
    {{ json_text('metric', '$.value') }} as value_kind,
    cast({{ json_text('metric', '$.cap') }} as double) as cap,
    {{ json_text('metric', '$.role') }} as role,
    {{ json_text('metric', '$.harm') }} as harm_direction,
    cast({{ json_text('metric', '$.margin') }} as double) as harm_margin
from listed
