-- One row per program, comparison (the baseline text, or creatives written without the learnings) and cycle: what creatives written
-- with the learnings earned over it, so far.
-- Both kinds are randomised against each other in every experiment; the difference is the causal value of the learnings file.
-- The trend is the weighted slope of each cycle's log ratio. Its e-value against no trend mixes over a normal slope and is free of where
-- the line starts (Perez-Ortiz et al. 2024), so its interval too may be read at every look.

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
        count(log_ratio) over running as cycles,
        cast({{ exact_sum('log_ratio_weight') }} over running as double) as total_weight,
        cast({{ exact_sum('log_ratio_weight * place') }} over running as double) as weighted_place,
        cast({{ exact_sum('log_ratio_weight * place * place') }} over running as double) as weighted_square,
        cast({{ exact_sum('log_ratio_weight * log_ratio') }} over running as double) as weighted_ratio,
        cast({{ exact_sum('log_ratio_weight * place * log_ratio') }} over running as double) as weighted_product
    from by_cycle
    window running as (partition by program, against order by cycle rows between unbounded preceding and current row)
),

measured as (
    select
        so_far.*,
        policy.alpha,
        policy.trend_prior_sd,
        {{ half_width('so_far.standard_error', 'so_far.units', 'policy.tuning_constant', 'policy.alpha') }} as half_width,
        case when so_far.cycles >= 3 then so_far.weighted_square - power(so_far.weighted_place, 2) / so_far.total_weight end as information,
        so_far.weighted_product - so_far.weighted_place * so_far.weighted_ratio / so_far.total_weight as covered
    from so_far
    inner join policy on so_far.program = policy.program
),

sloped as (
    select
        *,
        case when information > 0 then covered / information end as trend,
        case
            when information > 0 then {{ half_width('(1 / sqrt(information))', 'information', 'power(trend_prior_sd, 2)', 'alpha') }}
        end as trend_half_width
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
    trend,
    trend - trend_half_width as trend_low,
    trend + trend_half_width as trend_high,
    case
        when difference - half_width > 0 then 'worth_it'
        when difference + half_width < 0 then 'not_worth_it'
        else 'not_told_yet'
    end as verdict,
    case
        when difference - half_width > 0 then 'the whole interval lies above no difference'
        when difference + half_width < 0 then 'the whole interval lies below no difference: the learnings cost more than they bring'
        else 'the interval still holds no difference'
    end
    || case
        when trend is null then '; too few cycles for a trend'
        when trend - trend_half_width > 0 then '; it grows from cycle to cycle'
        when trend + trend_half_width < 0 then '; it fades from cycle to cycle'
        else '; no trend is told from noise'
    end as reason
from sloped
