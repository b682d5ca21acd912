-- One row per program, metric, segment, tag and cycle since the tag was first tried: everything known about it by the end of the cycle.
-- Anytime-valid t-test (Gonen et al. 2005) within a family judged by e-BH (Wang and Ramdas 2022). Segment 'all' pools the segments;
-- segments are judged within the tags that passed there.

with

accumulated as (
    select * from {{ ref('int_learnings__tag_totals') }}
),

policy as (
    select * from {{ ref('int_policy') }}
),

judged as (
    select
        accumulated.*,
        policy.false_discovery_rate,
        policy.min_creatives_with_tag,
        policy.effect_prior_variance,
        least({{ log_e_t(
            'accumulated.experiments', 'accumulated.total', 'accumulated.total_square',
            'policy.effect_prior_variance', 'policy.min_experiments'
        ) }}, 700.0) as log_e_value,
        {{ log_e_robust('accumulated.total', 'accumulated.total_square', 'policy.robust_rate') }} as log_e_value_robust
    from accumulated
    inner join policy on accumulated.program = policy.program
),

-- e-BH over the tags pooled: keep the largest k whose k-th e-value reaches claims / (q k). Only randomised evidence is a claim.
ranked as (
    select
        *,
        row_number() over family as claim_rank,
        count(*) over (partition by program, metric, cycle, segment = 'all', experiments > 0) as claims
    from judged
    window family as (
        partition by program, metric, cycle, segment = 'all', experiments > 0 order by log_e_value desc, segment, tag
    )
),

pooled_kept as (
    select
        program,
        metric,
        cycle,
        max(claim_rank) as kept
    from ranked
    where segment = 'all' and experiments > 0 and log_e_value >= ln(claims / (false_discovery_rate * claim_rank))
    group by program, metric, cycle
),

pooled_passed as (
    select
        ranked.program,
        ranked.metric,
        ranked.tag,
        ranked.cycle
    from ranked
    inner join pooled_kept
        on
            ranked.program = pooled_kept.program
            and ranked.metric = pooled_kept.metric
            and ranked.cycle = pooled_kept.cycle
            and ranked.claim_rank <= pooled_kept.kept
    where ranked.segment = 'all' and ranked.experiments > 0
),

-- e-BH again, over the segments of the tags that passed.
segments_ranked as (
    select
        ranked.program,
        ranked.metric,
        ranked.segment,
        ranked.tag,
        ranked.cycle,
        ranked.log_e_value,
        ranked.false_discovery_rate,
        row_number() over (
            partition by ranked.program, ranked.metric, ranked.cycle order by ranked.log_e_value desc, ranked.segment, ranked.tag
        ) as claim_rank,
        count(*) over (partition by ranked.program, ranked.metric, ranked.cycle) as claims
    from ranked
    inner join pooled_passed
        on
            ranked.program = pooled_passed.program
            and ranked.metric = pooled_passed.metric
            and ranked.tag = pooled_passed.tag
            and ranked.cycle = pooled_passed.cycle
    where ranked.segment <> 'all' and ranked.experiments > 0
),

segments_kept as (
    select
        program,
        metric,
        cycle,
        max(claims) as claims,
        max(case when log_e_value >= ln(claims / (false_discovery_rate * claim_rank)) then claim_rank end) as kept
    from segments_ranked
    group by program, metric, cycle
),

decided as (
    select
        ranked.*,
        case when ranked.segment = 'all' then ranked.claim_rank else segments_ranked.claim_rank end as family_rank,
        case when ranked.segment = 'all' then pooled_kept.kept else segments_kept.kept end as family_kept,
        case when ranked.segment = 'all' then ranked.claims else coalesce(segments_kept.claims, ranked.claims) end as family_claims
    from ranked
    left join pooled_kept
        on ranked.program = pooled_kept.program and ranked.metric = pooled_kept.metric and ranked.cycle = pooled_kept.cycle
    left join segments_kept
        on ranked.program = segments_kept.program and ranked.metric = segments_kept.metric and ranked.cycle = segments_kept.cycle
    left join segments_ranked
        on
            ranked.segment <> 'all'
            and ranked.program = segments_ranked.program
            and ranked.metric = segments_ranked.metric
            and ranked.segment = segments_ranked.segment
            and ranked.tag = segments_ranked.tag
            and ranked.cycle = segments_ranked.cycle
)

select
    program,
    metric,
    segment,
    tag,
    cycle,
    cast(cycle_number as bigint) as cycle_number,
    cast(experiments as bigint) as experiments,
    cast(platform_experiments as bigint) as platform_experiments,
    cast(designed_experiments as bigint) as designed_experiments,
    cast(creatives as bigint) as creatives,
    cast(last_tried_number as bigint) as last_tried_number,
    total,
    total_square,
    case when experiments > 0 then weighted / weight when any_weight > 0 then any_weighted / any_weight end as mean_contrast,
    precision_root,
    weight,
    squared_weight,
    recent_total / nullif(sqrt(recent_square), 0) as recent_z,
    log_e_value,
    log_e_value_robust,
    cast(family_claims as bigint) as family_claims,
    cast(coalesce(family_kept, 0) as bigint) as family_kept,
    coalesce(experiments > 0 and family_rank <= family_kept, false) as is_significant,
    coalesce(experiments > 0 and family_rank <= family_kept and creatives >= min_creatives_with_tag, false) as is_supported
from decided
