-- One row per claim and cycle: how large the effect is said to be, shrunken so that it does not boast.
-- DerSimonian-Laird variance between experiments; empirical Bayes over the tags of a family; segments are pulled towards the program's
-- overall effect. The interval inverts the anytime-valid t-test at the level that e-BH selection leaves (Xu, Wang and Ramdas 2022).

with

evidence as (
    select * from {{ ref('tag_evidence') }}
),

policy as (
    select * from {{ ref('int_policy') }}
),

claims as (
    select * from {{ ref('int_learnings__claims') }}
),

sizes as (
    select
        *,
        weighted / weight as mean_contrast
    from {{ ref('int_learnings__effect_sizes') }}
),

heterogeneity as (
    select
        evidence.claim_key,
        claims.family_key,
        claims.tag_family_key,
        claims.is_pooled,
        evidence.cycle_number,
        evidence.experiments,
        sizes.mean_contrast,
        case
            when evidence.experiments > 0
                then
                    1 / sizes.weight
                    + case
                        when evidence.experiments > 1
                            then
                                greatest(
                                    (evidence.total_square - power(sizes.mean_contrast, 2) * sizes.weight - (evidence.experiments - 1))
                                    / greatest(sizes.weight - sizes.squared_weight / sizes.weight, 1e-12),
                                    0
                                )
                        else 0
                    end * sizes.squared_weight / power(sizes.weight, 2)
        end as mean_variance,
        evidence.total / nullif(sizes.precision_root, 0) as centre,
        evidence.experiments / nullif(sizes.precision_root, 0)
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
    inner join claims on evidence.claim_key = claims.claim_key
    inner join sizes on evidence.claim_key = sizes.claim_key and evidence.cycle_number = sizes.cycle_number
),

-- Spread of true effects over the tags of a family, around no effect.
tag_spread as (
    select
        family_key,
        cycle_number,
        greatest({{ exact_total('power(mean_contrast, 2) - mean_variance') }} / count(*), 0) as effect_variance
    from heterogeneity
    where is_pooled and mean_variance is not null
    group by family_key, cycle_number
),

pooled as (
    select
        heterogeneity.claim_key,
        heterogeneity.tag_family_key,
        heterogeneity.cycle_number,
        heterogeneity.mean_contrast,
        tag_spread.effect_variance as spread,
        heterogeneity.mean_contrast * tag_spread.effect_variance
        / (tag_spread.effect_variance + heterogeneity.mean_variance) as effect,
        tag_spread.effect_variance * heterogeneity.mean_variance
        / (tag_spread.effect_variance + heterogeneity.mean_variance) as effect_variance
    from heterogeneity
    inner join tag_spread
        on heterogeneity.family_key = tag_spread.family_key and heterogeneity.cycle_number = tag_spread.cycle_number
    where heterogeneity.is_pooled and heterogeneity.mean_variance is not null
),

-- Spread of a tag's effect over segments, around its pooled effect.
segment_spread as (
    select
        heterogeneity.family_key,
        heterogeneity.cycle_number,
        greatest(
            {{ exact_total('power(heterogeneity.mean_contrast - pooled.mean_contrast, 2) - heterogeneity.mean_variance') }} / count(*), 0
        ) as effect_variance
    from heterogeneity
    inner join pooled
        on heterogeneity.tag_family_key = pooled.tag_family_key and heterogeneity.cycle_number = pooled.cycle_number
    where not heterogeneity.is_pooled and heterogeneity.mean_variance is not null
    group by heterogeneity.family_key, heterogeneity.cycle_number
),

shrunken as (
    select
        heterogeneity.*,
        case when heterogeneity.is_pooled then pooled.spread else segment_spread.effect_variance end as spread,
        case
            when heterogeneity.is_pooled then pooled.effect
            else
                (heterogeneity.mean_contrast * segment_spread.effect_variance + pooled.effect * heterogeneity.mean_variance)
                / (segment_spread.effect_variance + heterogeneity.mean_variance)
        end as effect,
        case
            when heterogeneity.is_pooled then pooled.effect_variance
            else
                segment_spread.effect_variance * heterogeneity.mean_variance
                / (segment_spread.effect_variance + heterogeneity.mean_variance)
                + pooled.effect_variance
                * power(heterogeneity.mean_variance / (segment_spread.effect_variance + heterogeneity.mean_variance), 2)
        end as effect_variance
    from heterogeneity
    left join pooled
        on heterogeneity.tag_family_key = pooled.tag_family_key and heterogeneity.cycle_number = pooled.cycle_number
    left join segment_spread
        on heterogeneity.family_key = segment_spread.family_key and heterogeneity.cycle_number = segment_spread.cycle_number
)

-- What the interval excludes is not reported, however strong the shrinkage.
select
    claim_key,
    cycle_number,
    tag_family_key,
    is_pooled,
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
