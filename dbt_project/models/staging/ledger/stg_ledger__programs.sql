-- One row per program: its latest definition.

with

versions as (
    select
        *,
        row_number() over (partition by program order by recorded_at desc, version desc) as from_the_last
    from {{ source('ledger', 'programs') }}
)

select
    program,
    version,
    {{ json_text('spec', '$.channel') }} as channel,
    coalesce({{ json_text('spec', '$.audience') }}, 'subscribed') as audience,
    {{ json_text('spec', '$.cadence') }} as cadence,
    cast({{ json_text('spec', '$.thresholds.min_units_per_arm') }} as double) as min_units_per_arm,
    cast({{ json_text('spec', '$.thresholds.min_conversions_per_arm') }} as double) as min_conversions_per_arm,
    cast({{ json_text('spec', '$.thresholds.min_experiments') }} as double) as min_experiments,
    cast({{ json_text('spec', '$.thresholds.min_creatives_with_tag') }} as double) as min_creatives_with_tag,
    cast({{ json_text('spec', '$.thresholds.planned_units') }} as double) as planned_units,
    spec,
    recorded_at
from versions
where from_the_last = 1
