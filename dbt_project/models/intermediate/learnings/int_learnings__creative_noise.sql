-- One row per program, metric and cycle: how much creatives of one experiment differ beyond sampling, known before the cycle.
-- Method of moments (DerSimonian and Laird 1986) on the experiments of earlier cycles, drawn towards the prior by which texts are chosen
-- (particular_variance) while they are few. From 0 the first contrasts of large experiments would be many times the later ones, which
-- the t-test over replicates takes for spread: the more people, the later it would learn.

with

comparisons as (
    select * from {{ ref('int_experiments__comparisons') }}
),

arms as (
    select * from {{ ref('int_experiments__closed_arms') }}
),

by_comparison as (
    select
        comparison_key,
        count(*) as arms,
        {{ exact_total('1 / sampling_variance') }} as total_weight,
        {{ exact_total('log_rate / sampling_variance') }} as weighted,
        {{ exact_total('power(log_rate, 2) / sampling_variance') }} as weighted_square,
        {{ exact_total('1 / power(sampling_variance, 2)') }} as squared_weight
    from arms
    group by comparison_key
),

by_cycle as (
    select
        comparisons.program,
        comparisons.metric,
        comparisons.entered_in_cycle,
        {{ exact_sum('weighted_square - power(weighted, 2) / total_weight') }} as dispersion,
        sum(arms - 1) as freedom,
        {{ exact_sum('total_weight - squared_weight / total_weight') }} as capacity
    from by_comparison
    inner join comparisons on by_comparison.comparison_key = comparisons.comparison_key
    group by comparisons.program, comparisons.metric, comparisons.entered_in_cycle
),

before as (
    select
        program,
        metric,
        entered_in_cycle,
        cast(sum(dispersion) over earlier as double) as dispersion,
        cast(sum(freedom) over earlier as double) as freedom,
        cast(sum(capacity) over earlier as double) as capacity
    from by_cycle
    window earlier as (
        partition by program, metric
        order by entered_in_cycle
        rows between unbounded preceding and 1 preceding
    )
)

select
    program,
    metric,
    entered_in_cycle as cycle,
    (
        {{ policy('particular_variance') }} * {{ policy('creative_prior_freedom') }}
        + coalesce(case when capacity > 0 then freedom * greatest((dispersion - freedom) / capacity, 0) end, 0)
    ) / ({{ policy('creative_prior_freedom') }} + coalesce(case when capacity > 0 then freedom end, 0)) as between_creative_variance_before
from before
