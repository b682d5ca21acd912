-- One row per program, metric, tag and cycle whose pooled effect another, better proved tag explains.
-- Where arms with a tag also carry another one more often than arms without it, the other's effect leaks into this one's contrast:
-- what is left after taking that part away must still be a good share of it. Matched contrasts leak nothing and are not asked.

with

evidence as (
    select
        evidence.*,
        estimates.mean_contrast
    from {{ ref('tag_evidence') }} as evidence
    inner join {{ ref('int_learnings__estimates') }} as estimates
        on evidence.claim_key = estimates.claim_key and evidence.cycle_number = estimates.cycle_number
    where evidence.segment = 'all'
),

policy as (
    select * from {{ ref('int_policy') }}
),

-- Few tags are ever supported: the pairs stay small however many tags there are.
supported as (
    select distinct program, metric, tag from evidence where is_supported
),

contrasts as (
    select * from {{ ref('int_learnings__tag_contrasts') }} where segment = 'all' and not is_matched and is_randomised
),

arms as (
    select distinct
        comparisons.program,
        comparisons.metric,
        comparisons.experiment_id,
        planned.creative_id
    from {{ ref('int_experiments__closed_arms') }} as closed
    inner join {{ ref('int_experiments__comparisons') }} as comparisons on closed.comparison_key = comparisons.comparison_key
    inner join {{ ref('int_experiments__arms') }} as planned on closed.arm_key = planned.arm_key
),

arm_tags as (
    select
        arms.program,
        arms.metric,
        arms.experiment_id,
        arms.creative_id,
        tags.tag
    from arms
    inner join {{ ref('int_experiments__arm_tags') }} as tags
        on arms.program = tags.program and arms.experiment_id = tags.experiment_id and arms.creative_id = tags.creative_id
    inner join supported on arms.program = supported.program and arms.metric = supported.metric and tags.tag = supported.tag
),

sizes as (
    select program, metric, experiment_id, count(*) as arms from arms group by program, metric, experiment_id
),

carriers as (
    select program, metric, experiment_id, tag, count(*) as arms from arm_tags group by program, metric, experiment_id, tag
),

together as (
    select
        this.program,
        this.metric,
        this.experiment_id,
        this.tag,
        other.tag as other_tag,
        count(*) as arms
    from arm_tags as this
    inner join arm_tags as other
        on
            this.program = other.program
            and this.metric = other.metric
            and this.experiment_id = other.experiment_id
            and this.creative_id = other.creative_id
            and this.tag <> other.tag
    group by this.program, this.metric, this.experiment_id, this.tag, other.tag
),

imbalances as (
    select
        contrasts.program,
        contrasts.metric,
        contrasts.tag,
        others.tag as other_tag,
        contrasts.entered_in_cycle,
        1e0 * coalesce(together.arms, 0) / carriers.arms
        - 1e0 * (others.arms - coalesce(together.arms, 0)) / (sizes.arms - carriers.arms) as imbalance
    from contrasts
    inner join carriers
        on
            contrasts.program = carriers.program
            and contrasts.metric = carriers.metric
            and contrasts.experiment_id = carriers.experiment_id
            and contrasts.tag = carriers.tag
    inner join sizes
        on
            contrasts.program = sizes.program
            and contrasts.metric = sizes.metric
            and contrasts.experiment_id = sizes.experiment_id
            and sizes.arms > carriers.arms
    inner join carriers as others
        on
            contrasts.program = others.program
            and contrasts.metric = others.metric
            and contrasts.experiment_id = others.experiment_id
            and contrasts.tag <> others.tag
    left join together
        on
            contrasts.program = together.program
            and contrasts.metric = together.metric
            and contrasts.experiment_id = together.experiment_id
            and contrasts.tag = together.tag
            and others.tag = together.other_tag
),

-- Experiments without the other tag balance it perfectly: they count as zeros, which the number of experiments brings in.
pairs as (
    select
        this.program,
        this.metric,
        this.tag,
        this.cycle,
        other.tag as other_tag,
        this.mean_contrast,
        other.mean_contrast as other_contrast,
        this.experiments,
        this.log_e_value,
        other.log_e_value as other_log_e_value
    from evidence as this
    inner join evidence as other
        on
            this.program = other.program
            and this.metric = other.metric
            and this.cycle = other.cycle
            and this.tag <> other.tag
            and (other.log_e_value > this.log_e_value or (other.log_e_value = this.log_e_value and other.tag < this.tag))
    where this.is_supported and other.is_supported
),

leaks as (
    select
        pairs.program,
        pairs.metric,
        pairs.tag,
        pairs.cycle,
        pairs.other_tag,
        pairs.mean_contrast,
        pairs.other_contrast,
        pairs.other_log_e_value,
        {{ exact_total('imbalances.imbalance') }} / pairs.experiments as overlap
    from pairs
    inner join imbalances
        on
            pairs.program = imbalances.program
            and pairs.metric = imbalances.metric
            and pairs.tag = imbalances.tag
            and pairs.other_tag = imbalances.other_tag
            and imbalances.entered_in_cycle <= pairs.cycle
    group by
        pairs.program, pairs.metric, pairs.tag, pairs.cycle, pairs.other_tag, pairs.mean_contrast, pairs.other_contrast,
        pairs.other_log_e_value, pairs.experiments
),

explained as (
    select
        leaks.*,
        row_number() over (
            partition by leaks.program, leaks.metric, leaks.tag, leaks.cycle order by leaks.other_log_e_value desc, leaks.other_tag
        ) as explanation_rank
    from leaks
    inner join policy on leaks.program = policy.program
    where
        abs(leaks.overlap) >= policy.redundant_overlap
        and abs(leaks.mean_contrast - leaks.overlap * leaks.other_contrast)
        < policy.redundant_remainder * abs(leaks.mean_contrast)
)

select
    program,
    metric,
    tag,
    cycle,
    other_tag as explained_by
from explained
where explanation_rank = 1
