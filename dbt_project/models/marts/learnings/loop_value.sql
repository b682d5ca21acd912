-- One row per program, comparison (the baseline text, or creatives written without the learnings) and cycle: what creatives written
-- with the learnings earned over it, so far.
-- Both kinds are randomised against each other in every experiment; the difference is the causal value of the learnings file.
-- The replicate is the cycle, not the person: creatives differ for reasons that no learning names, and a cycle has few of them. So the
-- error of the difference is told by how much the cycles differ, and is never below what sampling alone explains.
-- The trend is the weighted slope of each cycle's log ratio. Both intervals invert an anytime-valid t-test that mixes over a normal effect
-- and integrates out the scale, and of the trend the level too (Perez-Ortiz et al. 2024): they may be read at every look.

with

by_cycle as (
    select * from {{ ref('int_learnings__loop_cycles') }}
),

policy as (
    select * from {{ ref('int_policy') }}
),

so_far as (
    select
        program,
        against,
        cycle,
        cast({{ exact_sum('units') }} over running as double) as units,
        cast({{ exact_sum('weighted') }} over running as double) / cast({{ exact_sum('units') }} over running as double) as difference,
        sqrt(cast({{ exact_sum('weighted_variance') }} over running as double))
        / cast({{ exact_sum('units') }} over running as double) as standard_error,
        cast({{ exact_sum('weighted_other') }} over running as double) / cast({{ exact_sum('units') }} over running as double) as other_mean,
        weighted / units as difference_this_cycle,
        count(*) over running as cycles,
        cast({{ exact_sum('weighted * weighted / units') }} over running as double) as difference_square,
        count(log_ratio) over running as ratios,
        cast({{ exact_sum('log_ratio_weight') }} over running as double) as total_weight,
        cast({{ exact_sum('log_ratio_weight * place') }} over running as double) as weighted_place,
        cast({{ exact_sum('log_ratio_weight * place * place') }} over running as double) as weighted_square,
        cast({{ exact_sum('log_ratio_weight * log_ratio') }} over running as double) as weighted_ratio,
        cast({{ exact_sum('log_ratio_weight * log_ratio * log_ratio') }} over running as double) as weighted_ratio_square,
        cast({{ exact_sum('log_ratio_weight * place * log_ratio') }} over running as double) as weighted_product
    from by_cycle
    window running as (partition by program, against order by cycle rows between unbounded preceding and current row)
),

measured as (
    select
        so_far.*,
        policy.alpha,
        policy.min_experiments,
        case
            when so_far.cycles >= policy.min_experiments
                then
                    greatest(
                        so_far.standard_error,
                        sqrt(
                            greatest(so_far.difference_square - power(so_far.difference, 2) * so_far.units, 0)
                            / (so_far.cycles - 1) / so_far.units
                        )
                    )
        end as difference_error,
        so_far.units * policy.tuning_constant / so_far.cycles as difference_prior,
        case when so_far.ratios >= 3 then so_far.weighted_square - power(so_far.weighted_place, 2) / so_far.total_weight end as information,
        so_far.weighted_product - so_far.weighted_place * so_far.weighted_ratio / so_far.total_weight as covered,
        so_far.weighted_ratio_square - power(so_far.weighted_ratio, 2) / so_far.total_weight as ratio_square,
        power(policy.trend_prior_sd, 2) as trend_prior
    from so_far
    inner join policy on so_far.program = policy.program
),

sloped as (
    select
        *,
        difference_error * sqrt({{ t_square_at('cycles', '-ln(alpha)', 'difference_prior') }}) as half_width,
        case when information > 0 then covered / information end as trend,
        -- Weights are inverse sampling variances: a residual of 1 per degree of freedom is sampling alone.
        case
            when information > 0
                then sqrt(greatest((ratio_square - power(covered, 2) / information) / (ratios - 2), 1) / information)
        end
        * sqrt({{ t_square_at('(ratios - 1)', '-ln(alpha)', '(information * trend_prior / nullif(ratios - 1, 0))') }}) as trend_half_width
    from measured
)

select
    program,
    against,
    cycle,
    units,
    other_mean,
    difference,
    difference - half_width as difference_low,
    difference + half_width as difference_high,
    difference_this_cycle,
    difference / nullif(other_mean, 0) as lift,
    case when trend_half_width is not null then trend end as trend,
    trend - trend_half_width as trend_low,
    trend + trend_half_width as trend_high,
    case
        when difference - half_width > 0 then 'worth_it'
        when difference + half_width < 0 then 'not_worth_it'
        else 'not_told_yet'
    end as verdict,
    case
        when cycles < min_experiments
            then concat('too few cycles: ', cast(cycles as string), ' of ', cast(cast(min_experiments as integer) as string))
        when difference - half_width > 0 then 'the whole interval lies above no difference'
        when difference + half_width < 0 then 'the whole interval lies below no difference: the learnings cost more than they bring'
        else 'the interval still holds no difference'
    end
    || case
        when trend_half_width is null then '; too few cycles for a trend'
        when trend - trend_half_width > 0 then '; it grows from cycle to cycle'
        when trend + trend_half_width < 0 then '; it fades from cycle to cycle'
        else '; no trend is told from noise'
    end as reason
from sloped
