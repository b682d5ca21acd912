-- One row per program, metric, segment, tag and cycle: the claim, its size, and what may be made of it at the end of that cycle.
-- A pure function of what was closed by then: later data never changes an earlier row. Whatever no rule below names stays a candidate.
-- What explains a tag over all segments explains it in each of them.

with

evidence as (
    select * from {{ ref('tag_evidence') }}
),

estimates as (
    select * from {{ ref('int_learnings__estimates') }}
),

redundancy as (
    select * from {{ ref('int_learnings__redundancy') }}
),

reach as (
    select * from {{ ref('int_learnings__reach') }}
),

policy as (
    select * from {{ ref('int_policy') }}
),

cycles as (
    select * from {{ ref('stg_ledger__cycles') }}
),

recency as (
    select * from {{ ref('int_learnings__recency') }}
),

histories as (
    select
        evidence.*,
        max(cast(evidence.is_supported as integer)) over so_far = 1 as was_supported,
        sign(evidence.total) as direction
    from evidence
    window so_far as (
        partition by evidence.claim_key
        order by evidence.cycle_number
        rows between unbounded preceding and current row
    )
),

facts as (
    select
        histories.*,
        recency.recent_z,
        estimates.effect,
        estimates.effect_sd,
        estimates.ci_low,
        estimates.ci_high,
        redundancy.explained_by,
        abs(estimates.effect) * coalesce(reach.share, 1) as expected_value,
        case
            when histories.was_supported
                then
                    first_value(histories.direction) over (
                        partition by histories.claim_key, histories.was_supported order by histories.cycle_number
                    )
        end as first_direction,
        policy.min_experiments,
        policy.min_creatives_with_tag,
        policy.max_age_cycles,
        policy.max_active_per_segment,
        policy.review_after_days,
        policy.drift_z,
        histories.log_e_value - histories.log_e_value_robust > ln(policy.contested_factor)
        and histories.log_e_value_robust < -ln(policy.false_discovery_rate) as e_values_disagree,
        histories.cycle_number - histories.last_tried_number as cycles_since_tried
    from histories
    inner join policy on histories.program = policy.program
    inner join estimates on histories.claim_key = estimates.claim_key and histories.cycle_number = estimates.cycle_number
    left join recency on histories.claim_key = recency.claim_key and histories.cycle_number = recency.cycle_number
    left join redundancy
        on
            histories.program = redundancy.program
            and histories.metric = redundancy.metric
            and histories.tag = redundancy.tag
            and histories.cycle = redundancy.cycle
    left join reach
        on
            histories.program = reach.program
            and histories.metric = reach.metric
            and histories.segment = reach.segment
            and histories.cycle = reach.cycle
),

-- Rules in order; the first that holds decides. The last ones withhold.
judged as (
    select
        *,
        case
            when experiments = 0 then 'candidate: platform'
            when was_supported and direction <> first_direction then 'retired: contradiction'
            when was_supported and cycles_since_tried > max_age_cycles then 'retired: age'
            when is_supported and recent_z * direction < -drift_z then 'retired: drift'
            when is_supported and explained_by is not null then 'retired: redundant'
            when is_supported and e_values_disagree then 'contested: e-values'
            when is_supported and recent_z * direction < 0 then 'contested: recent'
            when is_supported then 'active'
            when was_supported then 'contested: evidence'
            when experiments < min_experiments then 'candidate: experiments'
            when creatives < min_creatives_with_tag then 'candidate: creatives'
            else 'candidate: noise'
        end as finding
    from facts
),

ranked as (
    select
        *,
        row_number() over (
            partition by program, metric, segment, cycle, finding = 'active' order by expected_value desc, log_e_value desc, tag
        ) as value_rank
    from judged
),

pruned as (
    select
        *,
        case when finding = 'active' and value_rank > max_active_per_segment then 'retired: pruned' else finding end as last_finding,
        max(cast(was_supported and finding <> 'active' as integer)) over (
            partition by claim_key order by cycle_number rows between unbounded preceding and current row
        ) = 1 as was_doubted
    from ranked
)

select
    {{ sha256_of("concat_ws('/', pruned.program, pruned.metric, pruned.segment, pruned.tag, cast(pruned.cycle as string))") }} as evidence_id,
    pruned.program,
    pruned.metric,
    pruned.segment,
    pruned.tag,
    pruned.cycle,
    split_part(pruned.last_finding, ':', 1) as status,
    case
        when pruned.experiments = 0 then 'platform'
        when pruned.designed_experiments * 2 > pruned.experiments then 'designed'
        else 'randomised'
    end as grade,
    pruned.effect,
    pruned.effect_sd,
    pruned.ci_low,
    pruned.ci_high,
    pruned.log_e_value,
    pruned.log_e_value_robust,
    pruned.recent_z,
    exp(least(pruned.log_e_value, 700)) as e_value,
    pruned.experiments as n_experiments,
    pruned.creatives as n_creatives,
    pruned.expected_value,
    case pruned.last_finding
        when 'active'
            then
                case when pruned.was_doubted then 'proved again after doubts, by ' else 'proved at every look since the first, by ' end
                || pruned.experiments || ' experiments'
        when 'candidate: platform' then 'the platform chose who saw what: a hypothesis for the exploration share'
        when 'candidate: experiments'
            then 'needs ' || cast(pruned.min_experiments - pruned.experiments as bigint) || ' more experiments before anything is said'
        when 'candidate: creatives'
            then 'needs ' || cast(pruned.min_creatives_with_tag - pruned.creatives as bigint) || ' more different texts with the tag'
        when 'candidate: noise' then 'not told apart from noise yet'
        when 'retired: contradiction' then 'the evidence now points the other way than when it was first proved'
        when 'retired: age' then 'not tried for ' || pruned.cycles_since_tried || ' cycles'
        when 'retired: drift' then 'recent experiments contradict it'
        when 'retired: redundant' then 'explained by the tag ' || pruned.explained_by
        when 'retired: pruned' then 'true, but too small a gain to be worth a place among the best ' || cast(pruned.max_active_per_segment as bigint)
        when 'contested: e-values' then 'rests on the shape of the noise: the robust e-value does not support it'
        when 'contested: recent' then 'recent experiments lean the other way'
        when 'contested: evidence' then 'was proved once, no longer meets the bar'
    end as reason,
    {{ days_after('cast(cycles.as_of as date)', 'pruned.review_after_days') }} as review_by
from pruned
left join cycles on pruned.program = cycles.program and pruned.cycle = cycles.cycle
