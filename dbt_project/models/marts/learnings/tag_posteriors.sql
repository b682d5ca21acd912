-- One row per program, metric, segment, tag and cycle: what choices may lean on, proved or not. A normal posterior of the tag's log
-- effect: a weak signal may steer the next batch because the next batch corrects it; claims need the evidence of marts.learnings.

with

estimates as (
    select * from {{ ref('int_learnings__estimates') }}
),

policy as (
    select * from {{ ref('int_policy') }}
),

pooled as (
    select
        estimates.*,
        greatest(estimates.spread, policy.choice_prior_variance) as prior_variance
    from estimates
    inner join policy on estimates.program = policy.program
    where estimates.segment = 'all' and estimates.mean_variance is not null
),

pooled_posterior as (
    select
        program,
        metric,
        segment,
        tag,
        cycle,
        experiments,
        mean_contrast * prior_variance / (prior_variance + mean_variance) as posterior_mean,
        prior_variance * mean_variance / (prior_variance + mean_variance) as posterior_variance
    from pooled
),

segments as (
    select
        estimates.*,
        pooled_posterior.posterior_mean as prior_mean,
        pooled_posterior.posterior_variance + greatest(estimates.spread, policy.choice_prior_variance / 4) as prior_variance
    from estimates
    inner join policy on estimates.program = policy.program
    inner join pooled_posterior
        on
            estimates.program = pooled_posterior.program
            and estimates.metric = pooled_posterior.metric
            and estimates.tag = pooled_posterior.tag
            and estimates.cycle = pooled_posterior.cycle
    where estimates.segment <> 'all' and estimates.mean_variance is not null
),

united as (
    select * from pooled_posterior
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
    from segments
)

select
    program,
    metric,
    segment,
    tag,
    cycle,
    cast(experiments as bigint) as experiments,
    posterior_mean,
    sqrt(posterior_variance) as posterior_sd
from united
