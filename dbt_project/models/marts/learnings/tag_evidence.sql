-- One row per program, metric, segment, tag and cycle since the tag was first tried: everything known about it by the end of the cycle.
-- Anytime-valid t-test (Gonen et al. 2005) within a family judged by e-BH (Wang and Ramdas 2022). Segment 'all' pools the segments;
-- segments are judged within the tags that passed there. Only randomised evidence is a claim.

with

totals as (
    select * from {{ ref('int_learnings__tag_totals') }}
),

claims as (
    select * from {{ ref('int_learnings__claims') }}
),

policy as (
    select * from {{ ref('int_policy') }}
),

judged as (
    select
        totals.*,
        claims.tag_family_key,
        policy.false_discovery_rate,
        policy.min_creatives_with_tag,
        least({{ log_e_t(
            'totals.experiments', 'totals.total', 'totals.total_square', 'policy.effect_prior_variance', 'policy.min_experiments'
        ) }}, 7e2) as log_e_value,
        {{ log_e_robust('totals.total', 'totals.total_square', 'policy.robust_rate') }} as log_e_value_robust
    from totals
    inner join claims on totals.claim_key = claims.claim_key
    inner join policy on totals.program = policy.program
),

-- e-BH over the tags pooled: keep the largest k whose k-th e-value reaches claims / (q k). Equal e-values pass or fail together.
ranked as (
    select
        claim_key,
        family_key,
        tag_family_key,
        cycle_number,
        log_e_value,
        false_discovery_rate,
        row_number() over (partition by family_key, cycle_number order by log_e_value desc) as claim_rank,
        count(*) over (partition by family_key, cycle_number) as family_claims
    from judged
    where is_pooled and experiments > 0
),

families as (
    select
        family_key,
        cycle_number,
        max(family_claims) as family_claims,
        max(case when log_e_value >= ln(family_claims / (false_discovery_rate * claim_rank)) then claim_rank end) as family_kept
    from ranked
    group by family_key, cycle_number
),

passed as (
    select
        ranked.claim_key,
        ranked.tag_family_key,
        ranked.cycle_number
    from ranked
    inner join families
        on
            ranked.family_key = families.family_key
            and ranked.cycle_number = families.cycle_number
            and ranked.claim_rank <= families.family_kept
),

-- e-BH again, over the segments of the tags that passed.
segments_ranked as (
    select
        judged.claim_key,
        judged.family_key,
        judged.cycle_number,
        judged.log_e_value,
        judged.false_discovery_rate,
        row_number() over (partition by judged.family_key, judged.cycle_number order by judged.log_e_value desc) as claim_rank,
        count(*) over (partition by judged.family_key, judged.cycle_number) as family_claims
    from judged
    inner join passed on judged.tag_family_key = passed.tag_family_key and judged.cycle_number = passed.cycle_number
    where not judged.is_pooled and judged.experiments > 0
),

segment_families as (
    select
        family_key,
        cycle_number,
        max(family_claims) as family_claims,
        max(case when log_e_value >= ln(family_claims / (false_discovery_rate * claim_rank)) then claim_rank end) as family_kept
    from segments_ranked
    group by family_key, cycle_number
),

significant as (
    select claim_key, cycle_number from passed
    union all
    select
        segments_ranked.claim_key,
        segments_ranked.cycle_number
    from segments_ranked
    inner join segment_families
        on
            segments_ranked.family_key = segment_families.family_key
            and segments_ranked.cycle_number = segment_families.cycle_number
            and segments_ranked.claim_rank <= segment_families.family_kept
),

-- Segments of tags that did not pass are not claimed; what could have been claimed sets the level of their intervals.
tried as (
    select
        family_key,
        cycle_number,
        is_pooled,
        nullif(count(case when experiments > 0 then 1 end), 0) as family_claims
    from judged
    group by family_key, cycle_number, is_pooled
),

both_families as (
    select
        tried.family_key,
        tried.cycle_number,
        tried.is_pooled,
        coalesce(segment_families.family_claims, tried.family_claims) as family_claims,
        case when tried.is_pooled then families.family_kept else segment_families.family_kept end as family_kept
    from tried
    left join families
        on tried.is_pooled and tried.family_key = families.family_key and tried.cycle_number = families.cycle_number
    left join segment_families
        on
            not tried.is_pooled
            and tried.family_key = segment_families.family_key
            and tried.cycle_number = segment_families.cycle_number
)

select
    claims.program,
    claims.metric,
    claims.segment,
    claims.tag,
    judged.cycle,
    judged.cycle_number,
    judged.experiments,
    judged.all_experiments - judged.experiments as platform_experiments,
    judged.designed_experiments,
    judged.creatives,
    judged.last_tried_number,
    judged.total,
    judged.total_square,
    judged.log_e_value,
    judged.log_e_value_robust,
    both_families.family_claims,
    cast(coalesce(both_families.family_kept, 0) as bigint) as family_kept,
    significant.claim_key is not null as is_significant,
    significant.claim_key is not null and judged.creatives >= judged.min_creatives_with_tag as is_supported,
    judged.claim_key
from judged
inner join claims on judged.claim_key = claims.claim_key
inner join both_families
    on
        judged.family_key = both_families.family_key
        and judged.cycle_number = both_families.cycle_number
        and judged.is_pooled = both_families.is_pooled
left join significant on judged.claim_key = significant.claim_key and judged.cycle_number = significant.cycle_number
