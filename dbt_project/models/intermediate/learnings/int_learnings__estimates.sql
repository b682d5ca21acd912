-- One row per program, metric, segment, tag and cycle: how large the effect is said to be, shrunken so that it does not boast.
-- DerSimonian-Laird variance between experiments; empirical Bayes over the tags of a family; segments are pulled towards the program's
-- overall effect. The interval inverts the anytime-valid t-test at the level that e-BH selection leaves (Xu, Wang and Ramdas 2022).

with

evidence as (
    select * from {{ ref('tag_evidence') }}
),

policy as (
    select * from {{ ref('int_policy') }}
),

heterogeneity as (
    select
        evidence.program,
        evidence.metric,
        evidence.segment,
        evidence.tag,
        evidence.cycle,
        evidence.experiments,
        evidence.mean_contrast,
        case
            when evidence.experiments > 0
                then
                    1 / evidence.weight
                    + case
                        when evidence.experiments > 1
                            then
                                greatest(
                                    (evidence.total_square - power(evidence.mean_contrast, 2) * evidence.weight - (evidence.experiments - 1))
                                    / greatest(evidence.weight - evidence.squared_weight / evidence.weight, 1e-12),
                                    0
                                )
                        else 0
                    end * evidence.squared_weight / power(evidence.weight, 2)
        end as mean_variance,
        evidence.total / nullif(evidence.precision_root, 0) as centre,
        evidence.experiments / nullif(evidence.precision_root, 0)
        * sqrt(
            {{ t_square_at(
                'evidence.experiments',
                "-ln(policy.false_discovery_rate * greatest(evidence.family_kept, 1) / evidence.family_claims)",
                'policy.effect_prior_variance'
            ) }}
            * greatest(
                (evidence.total_square - power(evidence.total, 2) / nullif(evidence.experiments, 0)) / nullif(evidence.experiments - 1, 0),
                1e-12
            )
            / nullif(evidence.experiments, 0)
        ) as half_width,
        evidence.experiments >= policy.min_experiments as has_interval
    from evidence
    inner join policy on evidence.program = policy.program
),

-- Spread of true effects over the tags of a family, around no effect.
tag_spread as (
    select
        program,
        metric,
        cycle,
        greatest({{ exact_total('power(mean_contrast, 2) - mean_variance') }} / count(*), 0) as effect_variance
    from heterogeneity
    where segment = 'all' and mean_variance is not null
    group by program, metric, cycle
),

pooled as (
    select
        heterogeneity.program,
        heterogeneity.metric,
        heterogeneity.tag,
        heterogeneity.cycle,
        heterogeneity.mean_contrast,
        heterogeneity.mean_contrast * tag_spread.effect_variance
        / (tag_spread.effect_variance + heterogeneity.mean_variance) as effect,
        tag_spread.effect_variance * heterogeneity.mean_variance
        / (tag_spread.effect_variance + heterogeneity.mean_variance) as effect_variance
    from heterogeneity
    inner join tag_spread
        on
            heterogeneity.program = tag_spread.program
            and heterogeneity.metric = tag_spread.metric
            and heterogeneity.cycle = tag_spread.cycle
    where heterogeneity.segment = 'all' and heterogeneity.mean_variance is not null
),

-- Spread of a tag's effect over segments, around its pooled effect.
segment_spread as (
    select
        heterogeneity.program,
        heterogeneity.metric,
        heterogeneity.cycle,
        greatest(
            {{ exact_total('power(heterogeneity.mean_contrast - pooled.mean_contrast, 2) - heterogeneity.mean_variance') }} / count(*), 0
        ) as effect_variance
    from heterogeneity
    inner join pooled
        on
            heterogeneity.program = pooled.program
            and heterogeneity.metric = pooled.metric
            and heterogeneity.tag = pooled.tag
            and heterogeneity.cycle = pooled.cycle
    where heterogeneity.segment <> 'all' and heterogeneity.mean_variance is not null
    group by heterogeneity.program, heterogeneity.metric, heterogeneity.cycle
),

shrunken as (
    select
        heterogeneity.*,
        case when heterogeneity.segment = 'all' then tag_spread.effect_variance else segment_spread.effect_variance end as spread,
        case
            when heterogeneity.segment = 'all' then pooled.effect
            else
                (heterogeneity.mean_contrast * segment_spread.effect_variance + pooled.effect * heterogeneity.mean_variance)
                / (segment_spread.effect_variance + heterogeneity.mean_variance)
        end as effect,
        case
            when heterogeneity.segment = 'all' then pooled.effect_variance
            else
                segment_spread.effect_variance * heterogeneity.mean_variance
                / (segment_spread.effect_variance + heterogeneity.mean_variance)
                + pooled.effect_variance
                * power(heterogeneity.mean_variance / (segment_spread.effect_variance + heterogeneity.mean_variance), 2)
        end as effect_variance
    from heterogeneity
    left join pooled
        on
            heterogeneity.program = pooled.program
            and heterogeneity.metric = pooled.metric
            and heterogeneity.tag = pooled.tag
            and heterogeneity.cycle = pooled.cycle
    left join tag_spread
        on
            heterogeneity.program = tag_spread.program
            and heterogeneity.metric = tag_spread.metric
            and heterogeneity.cycle = tag_spread.cycle
    left join segment_spread
        on
            heterogeneity.program = segment_spread.program
            and heterogeneity.metric = segment_spread.metric
            and heterogeneity.cycle = segment_spread.cycle
)

-- What the interval excludes is not reported, however strong the shrinkage.
select
    program,
    metric,
    segment,
    tag,
    cycle,
    experiments,
    mean_contrast,
    mean_variance,
    spread,
    case
        when has_interval and half_width is not null
            then least(greatest(coalesce(effect, mean_contrast), centre - half_width), centre + half_width)
        else coalesce(effect, mean_contrast)
    end as effect,
    sqrt(effect_variance) as effect_sd,
    case when has_interval then centre - half_width end as ci_low,
    case when has_interval then centre + half_width end as ci_high
from shrunken
