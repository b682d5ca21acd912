-- One row per program, metric, segment, tag and cycle: what choices may lean on, proved or not. A normal posterior of the tag's log
-- effect: a weak signal may steer the next batch because the next batch corrects it; claims need the evidence of marts.learnings.

with

estimates as (
    select * from {{ ref('int_learnings__estimates') }} where mean_variance is not null
),

evidence as (
    select * from {{ ref('tag_evidence') }}
),

policy as (
    select * from {{ ref('int_policy') }}
),

described as (
    select
        estimates.*,
        evidence.program,
        evidence.metric,
        evidence.segment,
        evidence.tag,
        evidence.cycle,
        policy.choice_prior_variance
    from estimates
    inner join evidence on estimates.claim_key = evidence.claim_key and estimates.cycle_number = evidence.cycle_number
    inner join policy on evidence.program = policy.program
),

pooled_prior as (
    select
        *,
        greatest(spread, choice_prior_variance) as prior_variance
    from described
    where is_pooled
),

pooled as (
    select
        *,
        mean_contrast * prior_variance / (prior_variance + mean_variance) as posterior_mean,
        prior_variance * mean_variance / (prior_variance + mean_variance) as posterior_variance
    from pooled_prior
),

-- A segment's prior is what is known of everybody, and how much segments may differ.
segment_prior as (
    select
        described.*,
        pooled.posterior_mean as prior_mean,
        pooled.posterior_variance + greatest(described.spread, described.choice_prior_variance / 4) as prior_variance
    from described
    inner join pooled on described.tag_family_key = pooled.tag_family_key and described.cycle_number = pooled.cycle_number
    where not described.is_pooled
),

united as (
    select program, metric, segment, tag, cycle, experiments, posterior_mean, posterior_variance
    from pooled
    union all
    select
        program,
        metric,
        segment,
        tag,
        cycle,
        experiments,
        (prior_mean * mean_variance + mean_contrast * prior_variance) / (prior_variance + mean_variance) as posterior_mean,
        prior_variance * mean_variance / (prior_variance + mean_variance) as posterior_variance
    from segment_prior
)

select
    program,
    metric,
    segment,
    tag,
    cycle,
    experiments,
    posterior_mean,
    sqrt(posterior_variance) as posterior_sd
from united
