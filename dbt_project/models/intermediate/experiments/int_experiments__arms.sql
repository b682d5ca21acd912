-- One row per program, experiment, segment and creative: what was planned, for live and for past experiments alike.
-- A text identifies a creative across experiments, so that one lucky headline reused ten times is one; without a text each
-- creative of each experiment is its own.

with

live as (
    select
        {{ key_of(['program', 'experiment_id', 'segment', 'creative_id']) }} as arm_key,
        program,
        experiment_id,
        segment,
        creative_id,
        role,
        planned_share,
        role = 'baseline' as is_baseline,
        true as is_launched,
        true as is_randomised,
        tags_by_design,
        is_resent,
        text,
        cast(null as bigint) as closes_in_cycle,
        cast(null as bigint) as closes_in_first_file
    from {{ ref('stg_ledger__arms') }}
),

-- Every row of one key names the same arm: any of them will do.
past as (
    select
        arm_key,
        any_value(program) as program,
        any_value(experiment_id) as experiment_id,
        any_value(segment) as segment,
        any_value(creative_id) as creative_id,
        case when bool_or(is_baseline) then 'baseline' else 'arm' end as role,
        max(planned_share) as planned_share,
        bool_or(is_baseline) as is_baseline,
        false as is_launched,
        bool_and(is_randomised) as is_randomised,
        false as tags_by_design,
        false as is_resent,
        max(text) as text,
        min(closes_in_cycle) as closes_in_cycle,
        min(case when is_of_first_file then closes_in_cycle end) as closes_in_first_file
    from {{ ref('stg_imports__results') }}
    group by arm_key
),

united as (
    select * from live
    union all
    select * from past
),

-- An arm is late that the first file of its experiment does not know, and that comes with a file which closes after it.
keyed as (
    select
        *,
        {{ key_of(['program', 'experiment_id', 'segment']) }} as segment_key,
        coalesce(
            closes_in_first_file is null and closes_in_cycle > min(closes_in_first_file) over (partition by program, experiment_id), false
        ) as is_late
    from united
),

-- Planned shares of a past experiment that tells none are equal ones; told in other units (percent, weights), they are made to sum to 1.
-- Told for some arms only, they are taken as equal and said to be unknown: nothing can be tested against them.
-- A late arm does not change the shares of those before it. Where a file calls several arms the baseline, one is.
shared as (
    select
        *,
        count(case when planned_share > 0 then 1 end) over comparison as shares_told,
        cast({{ exact_sum('planned_share') }} over comparison as double) as shares_total,
        count(*) over comparison as arms,
        row_number() over (
            partition by segment_key order by cast(is_baseline as integer) desc, cast(is_late as integer), creative_id
        ) as baseline_rank
    from keyed
    window comparison as (partition by segment_key, is_late)
)

select
    program,
    experiment_id,
    segment,
    creative_id,
    role,
    case
        when shares_told < arms then 1e0 / arms
        when abs(shares_total - 1) > 1e-6 then planned_share / shares_total
        else planned_share
    end as planned_share,
    is_launched or shares_told in (0, arms) as are_shares_known,
    is_baseline and baseline_rank = 1 as is_baseline,
    is_randomised,
    tags_by_design,
    is_resent,
    is_late,
    text,
    coalesce(lower(trim(text)), experiment_id || '/' || creative_id) as text_id,
    arm_key,
    segment_key,
    {{ key_of(['program', 'experiment_id']) }} as experiment_key,
    {{ key_of(['program', 'experiment_id', 'creative_id']) }} as creative_key
from shared
