-- One row per program, experiment, segment and creative: what was planned, for live and for past experiments alike.
-- A text identifies a creative across experiments, so that one lucky headline reused ten times is one; without a text each
-- creative of each experiment is its own.

with

live as (
    select
        program,
        experiment_id,
        segment,
        creative_id,
        role,
        planned_share,
        role = 'baseline' as is_baseline,
        true as is_randomised,
        tags_by_design,
        text
    from {{ ref('stg_ledger__arms') }}
),

past as (
    select
        program,
        experiment_id,
        segment,
        creative_id,
        case when max(cast(is_baseline as integer)) = 1 then 'baseline' else 'arm' end as role,
        max(planned_share) as planned_share,
        max(cast(is_baseline as integer)) = 1 as is_baseline,
        min(cast(is_randomised as integer)) = 1 as is_randomised,
        false as tags_by_design,
        max(text) as text
    from {{ ref('stg_imports__results') }}
    group by program, experiment_id, segment, creative_id
),

united as (
    select * from live
    union all
    select * from past
),

-- Planned shares that a past experiment does not tell are equal ones.
shared as (
    select
        *,
        count(planned_share) over (partition by program, experiment_id, segment) as shares_told,
        count(*) over (partition by program, experiment_id, segment) as arms
    from united
)

select
    program,
    experiment_id,
    segment,
    creative_id,
    role,
    case when shares_told = arms then planned_share else 1.0 / arms end as planned_share,
    is_baseline,
    is_randomised,
    tags_by_design,
    text,
    coalesce(lower(trim(text)), experiment_id || '/' || creative_id) as text_id
from shared
