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

-- Planned shares that a past experiment does not tell are equal ones; told in other units (percent, weights), they are made to sum to 1.
-- Where a file calls several arms the baseline, one is.
shared as (
    select
        *,
        count(case when planned_share > 0 then 1 end) over comparison as shares_told,
        cast({{ exact_sum('planned_share') }} over comparison as double) as shares_total,
        count(*) over comparison as arms,
        row_number() over (
            partition by program, experiment_id, segment order by cast(is_baseline as integer) desc, creative_id
        ) as baseline_rank
    from united
    window comparison as (partition by program, experiment_id, segment)
)

select
    program,
    experiment_id,
    segment,
    creative_id,
    role,
    case
        when shares_told < arms then 1.0 / arms
        when abs(shares_total - 1) > 1e-6 then planned_share / shares_total
        else planned_share
    end as planned_share,
    is_baseline and baseline_rank = 1 as is_baseline,
    is_randomised,
    tags_by_design,
    text,
    coalesce(lower(trim(text)), experiment_id || '/' || creative_id) as text_id
from shared
