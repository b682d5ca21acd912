-- One row per program, metric, experiment, segment and tag that varies among its arms, and one with segment 'all' that pools them.
-- The contrast of the log rate between arms with and without the tag. Where arms exist that differ in this tag alone, only those are
-- compared: another tag's effect can then not pass for this one's. Where none do, all arms are compared, unless the experiment's
-- tags were designed to be matched (then the rest says nothing about this tag).

with

noise as (
    select * from {{ ref('int_learnings__creative_noise') }}
),

cycles as (
    select * from {{ ref('int_learnings__cycles') }}
),

subjects as (
    select
        comparisons.*,
        cycles.cycle_number,
        noise.between_creative_variance_before as noise_variance
    from {{ ref('int_experiments__comparisons') }} as comparisons
    inner join noise
        on
            comparisons.program = noise.program
            and comparisons.metric = noise.metric
            and comparisons.entered_in_cycle = noise.cycle
    inner join cycles on comparisons.program = cycles.program and comparisons.entered_in_cycle = cycles.cycle
),

arms as (
    select
        closed.comparison_key,
        closed.creative_key,
        closed.log_rate,
        closed.sampling_variance,
        closed.is_randomised,
        closed.tags_by_design,
        subjects.replicate_key,
        1 / (closed.sampling_variance + subjects.noise_variance) as weight
    from {{ ref('int_experiments__closed_arms') }} as closed
    inner join subjects on closed.comparison_key = subjects.comparison_key
    where not closed.is_repeated  -- against a wording that stays or was chosen for its luck, every tag of its twins would look bad
),

tags as (
    select
        creative_key,
        tag,
        {{ key_of(['tag']) }} as tag_key
    from {{ ref('int_experiments__arm_tags') }}
),

signatures as (
    select
        creative_key,
        bit_xor(tag_key) as signature
    from tags
    group by creative_key
),

-- Arms of one comparison that carry the same tags are one cell.
cells as (
    select
        arms.comparison_key,
        coalesce(signatures.signature, 0) as signature,
        any_value(arms.creative_key) as creative_key,
        count(*) as arms,
        {{ exact_total('arms.weight') }} as weight,
        {{ exact_total('arms.weight * arms.log_rate') }} as weighted,
        {{ exact_total('arms.weight * arms.weight * arms.sampling_variance') }} as spread
    from arms
    left join signatures on arms.creative_key = signatures.creative_key
    group by arms.comparison_key, coalesce(signatures.signature, 0)
),

comparisons as (
    select
        comparison_key,
        count(*) as arms,
        bool_and(is_randomised) as is_randomised,
        bool_or(tags_by_design) as tags_by_design,
        {{ exact_total('weight') }} as weight,
        {{ exact_total('weight * log_rate') }} as weighted,
        {{ exact_total('weight * weight * sampling_variance') }} as spread
    from arms
    group by comparison_key
),

with_tag as (
    select
        cells.comparison_key,
        cells.signature,
        cells.arms,
        cells.weight,
        cells.weighted,
        cells.spread,
        tags.tag,
        tags.tag_key
    from cells
    inner join tags on cells.creative_key = tags.creative_key
    where cells.signature <> 0
),

-- Twins: the same tags but this one.
matched as (
    select
        with_tag.comparison_key,
        with_tag.tag,
        with_tag.arms as arms_with,
        without_tag.arms as arms_without,
        with_tag.weighted / with_tag.weight - without_tag.weighted / without_tag.weight as contrast,
        with_tag.spread / power(with_tag.weight, 2) + without_tag.spread / power(without_tag.weight, 2) as sampling_variance
    from with_tag
    inner join cells as without_tag
        on
            with_tag.comparison_key = without_tag.comparison_key
            and {{ xor_of('with_tag.signature', 'with_tag.tag_key') }} = without_tag.signature
),

matched_total as (
    select
        comparison_key,
        tag,
        sum(arms_with) as arms_with,
        sum(arms_without) as arms_without,
        {{ exact_total('contrast / sampling_variance') }} / {{ exact_total('1 / sampling_variance') }} as contrast,
        1 / {{ exact_total('1 / sampling_variance') }} as sampling_variance
    from matched
    group by comparison_key, tag
),

-- Tags without twins, where the tags were not designed to have them.
without_twins as (
    select with_tag.*
    from with_tag
    inner join comparisons on with_tag.comparison_key = comparisons.comparison_key
    left join matched_total
        on with_tag.comparison_key = matched_total.comparison_key and with_tag.tag = matched_total.tag
    where matched_total.tag is null and not comparisons.tags_by_design
),

carried as (
    select
        comparison_key,
        tag,
        sum(arms) as arms_with,
        {{ exact_total('weight') }} as weight,
        {{ exact_total('weighted') }} as weighted,
        {{ exact_total('spread') }} as spread
    from without_twins
    group by comparison_key, tag
),

unmatched_total as (
    select
        carried.comparison_key,
        carried.tag,
        carried.arms_with,
        comparisons.arms - carried.arms_with as arms_without,
        carried.weighted / carried.weight
        - (comparisons.weighted - carried.weighted) / (comparisons.weight - carried.weight) as contrast,
        carried.spread / power(carried.weight, 2)
        + (comparisons.spread - carried.spread) / power(comparisons.weight - carried.weight, 2) as sampling_variance
    from carried
    inner join comparisons on carried.comparison_key = comparisons.comparison_key
    where comparisons.arms > carried.arms_with
),

united as (
    select *, true as is_matched from matched_total
    union all
    select *, false as is_matched from unmatched_total
),

described as (
    select
        united.*,
        subjects.replicate_key,
        subjects.noise_variance,
        comparisons.is_randomised,
        comparisons.tags_by_design
    from united
    inner join subjects on united.comparison_key = subjects.comparison_key
    inner join comparisons on united.comparison_key = comparisons.comparison_key
),

-- Creatives shared by segments are one creative each, however many segments saw them.
sharing as (
    select
        replicate_key,
        cast(sum(arms) as double) / count(*) as segments_per_creative
    from (select replicate_key, creative_key, count(*) as arms from arms group by replicate_key, creative_key) as creatives
    group by replicate_key
),

pooled as (
    select
        described.replicate_key,
        described.tag,
        {{ exact_total('described.contrast / described.sampling_variance') }}
        / {{ exact_total('1 / described.sampling_variance') }} as contrast,
        1 / {{ exact_total('1 / described.sampling_variance') }} as sampling_variance,
        max(described.noise_variance) as noise_variance,
        cast(sum(described.arms_with) as double) as arms_with,
        cast(sum(described.arms_without) as double) as arms_without,
        bool_and(described.is_matched) as is_matched,
        bool_and(described.is_randomised) as is_randomised,
        bool_and(described.tags_by_design) as tags_by_design
    from described
    group by described.replicate_key, described.tag
),

replicates as (
    select
        replicate_key,
        any_value(program) as program,
        any_value(metric) as metric,
        any_value(experiment_id) as experiment_id,
        any_value(entered_in_cycle) as entered_in_cycle,
        any_value(cycle_number) as cycle_number
    from subjects
    group by replicate_key
),

both_levels as (
    select
        replicates.program,
        replicates.metric,
        replicates.experiment_id,
        'all' as segment,
        pooled.tag,
        replicates.entered_in_cycle,
        replicates.cycle_number,
        pooled.contrast,
        pooled.sampling_variance,
        pooled.noise_variance,
        greatest(pooled.arms_with / sharing.segments_per_creative, 1) as arms_with,
        greatest(pooled.arms_without / sharing.segments_per_creative, 1) as arms_without,
        pooled.is_matched,
        pooled.is_randomised,
        pooled.tags_by_design
    from pooled
    inner join replicates on pooled.replicate_key = replicates.replicate_key
    inner join sharing on pooled.replicate_key = sharing.replicate_key
    union all
    select
        subjects.program,
        subjects.metric,
        subjects.experiment_id,
        subjects.segment,
        described.tag,
        subjects.entered_in_cycle,
        subjects.cycle_number,
        described.contrast,
        described.sampling_variance,
        described.noise_variance,
        cast(described.arms_with as double) as arms_with,
        cast(described.arms_without as double) as arms_without,
        described.is_matched,
        described.is_randomised,
        described.tags_by_design
    from described
    inner join subjects on described.comparison_key = subjects.comparison_key
    where subjects.segment <> 'all'
),

measured as (
    select
        *,
        sqrt(sampling_variance + noise_variance * (1 / arms_with + 1 / arms_without)) as contrast_error
    from both_levels
)

select
    *,
    contrast / contrast_error as standardised_contrast,
    case
        when not is_randomised then 'platform'
        when is_matched and tags_by_design then 'designed'
        else 'randomised'
    end as grade,
    {{ key_of(['program', 'metric', 'segment', 'tag']) }} as claim_key
from measured
