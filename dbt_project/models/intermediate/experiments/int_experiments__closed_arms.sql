-- One row per comparison (program, metric, experiment, segment) and creative of a closed experiment that may be believed: its log rate
-- and the sampling variance of it, from the spread that all arms of the comparison share.
-- Arms below the smallest number of people are left out, and those that would have too few conversions at the rate of the comparison as a
-- whole: the log of a rate of few conversions is biased, which does not cancel out between arms of different size. Neither reason looks at
-- the arm's own luck. Of an outcome that varies, so many people count as conversions as would give the same relative spread,
-- (sum y)^2 / sum y^2; for 0/1 that is their number.

with

increments as (
    select * from {{ ref('int_experiments__increments') }}
),

comparisons as (
    select * from {{ ref('int_experiments__comparisons') }}
),

arms as (
    select * from {{ ref('int_experiments__arms') }} where role <> 'holdout'
),

-- Sends in several batches, as of their entry. An arm that was stopped is left out: it has no part in the days after.
reweighted as (
    select
        *,
        {{ key_of(['program', 'metric', 'experiment_id', 'segment']) }} as comparison_key,
        {{ key_of(['program', 'experiment_id', 'segment', 'subject']) }} as arm_key
    from {{ ref('int_experiments__reweighted') }}
    where level = 'arm'
),

plain_totals as (
    select
        increments.comparison_key,
        comparisons.entered_in_cycle,
        increments.arm_key,
        {{ exact_total('increments.n') }} as n,
        {{ exact_total('increments.sum_y') }} as sum_y,
        {{ exact_total('increments.sum_y2') }} as sum_y2
    from increments
    inner join comparisons
        on increments.comparison_key = comparisons.comparison_key and increments.cycle <= comparisons.entered_in_cycle
    group by increments.comparison_key, comparisons.entered_in_cycle, increments.arm_key
),

totals as (
    select
        plain_totals.comparison_key,
        plain_totals.arm_key,
        coalesce(reweighted.n, plain_totals.n) as n,
        coalesce(reweighted.sum_y, plain_totals.sum_y) as sum_y,
        coalesce(reweighted.sum_y2, plain_totals.sum_y2) as sum_y2
    from plain_totals
    left join reweighted
        on
            plain_totals.comparison_key = reweighted.comparison_key
            and plain_totals.arm_key = reweighted.arm_key
            and plain_totals.entered_in_cycle = reweighted.cycle
    where coalesce(reweighted.is_in_every_batch, true)
),

counted as (
    select
        totals.*,
        arms.creative_key,
        arms.text_id,
        arms.is_randomised,
        arms.tags_by_design,
        arms.is_resent or (arms.tags_by_design and arms.is_baseline) as is_repeated
    from totals
    inner join comparisons on totals.comparison_key = comparisons.comparison_key
    inner join arms on totals.arm_key = arms.arm_key
    where totals.n >= comparisons.min_units_per_arm
),

-- A metric is 0/1 when no arm says otherwise: an arm without any outcome looks like one in every metric.
kinds as (
    select
        comparison_key,
        bool_and(sum_y2 = sum_y) as is_binary
    from plain_totals
    group by comparison_key
),

common as (
    select
        counted.comparison_key,
        bool_and(kinds.is_binary) as is_binary,
        {{ exact_total('counted.n') }} as n,
        {{ exact_total('counted.sum_y') }} as sum_y,
        {{ exact_total('counted.sum_y2') }} as sum_y2,
        {{ exact_total('counted.sum_y2 - counted.sum_y * counted.sum_y / counted.n') }} as within_square,
        {{ exact_total('counted.n - 1') }} as freedom
    from counted
    inner join kinds on counted.comparison_key = kinds.comparison_key
    where counted.n > 0
    group by counted.comparison_key
),

measured as (
    select
        counted.*,
        common.is_binary,
        {{ log_rate('counted.n', 'counted.sum_y', 'common.is_binary') }} as log_rate,
        {{ relative_variance('common.n', 'common.sum_y', 'common.within_square', 'common.freedom', 'common.is_binary') }}
        / counted.n as sampling_variance,
        case
            when common.sum_y2 > 0 then counted.n / common.n * power(common.sum_y, 2) / common.sum_y2 else 0
        end as expected_conversions
    from counted
    inner join common on counted.comparison_key = common.comparison_key
    where counted.n > 0
),

-- Below the floor an outcome does not vary but for rounding, and squared weights would leave the range of exact sums.
readable as (
    select measured.* from measured
    inner join comparisons on measured.comparison_key = comparisons.comparison_key
    where
        measured.sampling_variance > 1e-12
        and measured.log_rate is not null
        and measured.expected_conversions >= comparisons.min_conversions_per_arm
),

comparable as (
    select comparison_key
    from readable
    group by comparison_key
    having count(*) >= 2
)

select
    readable.comparison_key,
    readable.arm_key,
    readable.creative_key,
    readable.n,
    readable.sum_y,
    {{ unbiased_log_rate('readable.log_rate', 'readable.sampling_variance', 'readable.is_binary') }} as log_rate,
    readable.sampling_variance,
    {{ key_of(['readable.text_id']) }} as text_key,
    readable.is_randomised,
    readable.tags_by_design,
    readable.is_repeated
from readable
inner join comparable on readable.comparison_key = comparable.comparison_key
