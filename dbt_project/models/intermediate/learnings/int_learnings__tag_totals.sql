-- One row per program, metric, segment, tag and cycle since the tag was first tried: running sums over the experiments closed by then.
-- The replicate is the experiment, never the impression: creatives differ for reasons that are not the tag.

with

contrasts as (
    select * from {{ ref('int_learnings__tag_contrasts') }}
),

cycles as (
    select * from {{ ref('int_learnings__cycles') }}
),

policy as (
    select * from {{ ref('int_policy') }}
),

new_creatives as (
    select * from {{ ref('int_learnings__new_creatives') }}
),

by_cycle as (
    select
        contrasts.program,
        contrasts.metric,
        contrasts.segment,
        contrasts.tag,
        cycles.cycle_number,
        count(*) filter (where contrasts.is_randomised) as experiments,
        count(*) filter (where not contrasts.is_randomised) as platform_experiments,
        count(*) filter (where contrasts.grade = 'designed') as designed_experiments,
        {{ exact_sum('case when contrasts.is_randomised then contrasts.standardised_contrast else 0 end') }} as total,
        {{ exact_sum('case when contrasts.is_randomised then power(contrasts.standardised_contrast, 2) else 0 end') }} as total_square,
        {{ exact_sum('case when contrasts.is_randomised then contrasts.standardised_contrast / contrasts.contrast_error else 0 end') }} as weighted,
        {{ exact_sum('case when contrasts.is_randomised then 1 / contrasts.contrast_error else 0 end') }} as precision_root,
        {{ exact_sum('case when contrasts.is_randomised then 1 / power(contrasts.contrast_error, 2) else 0 end') }} as weight,
        {{ exact_sum('case when contrasts.is_randomised then 1 / power(contrasts.contrast_error, 4) else 0 end') }} as squared_weight,
        {{ exact_sum('case when contrasts.is_randomised then contrasts.standardised_contrast * power(2, cycles.cycle_number / policy.half_life_cycles) else 0 end') }} as recent_total,
        {{ exact_sum('case when contrasts.is_randomised then power(2, cycles.cycle_number * 2 / policy.half_life_cycles) else 0 end') }} as recent_square,
        {{ exact_sum('contrasts.contrast / power(contrasts.contrast_error, 2)') }} as any_weighted,
        {{ exact_sum('1 / power(contrasts.contrast_error, 2)') }} as any_weight
    from contrasts
    inner join cycles on contrasts.program = cycles.program and contrasts.entered_in_cycle = cycles.cycle
    inner join policy on contrasts.program = policy.program
    group by contrasts.program, contrasts.metric, contrasts.segment, contrasts.tag, cycles.cycle_number
),

claims as (
    select
        program,
        metric,
        segment,
        tag,
        min(cycle_number) as first_cycle_number
    from by_cycle
    group by program, metric, segment, tag
),

-- A text seen before its tag first varied counts from there on.
started_creatives as (
    select
        claims.program,
        claims.metric,
        claims.segment,
        claims.tag,
        greatest(cycles.cycle_number, claims.first_cycle_number) as cycle_number,
        sum(new_creatives.creatives) as creatives
    from new_creatives
    inner join cycles on new_creatives.program = cycles.program and new_creatives.cycle = cycles.cycle
    inner join claims
        on
            new_creatives.program = claims.program
            and new_creatives.metric = claims.metric
            and new_creatives.segment = claims.segment
            and new_creatives.tag = claims.tag
    group by
        claims.program, claims.metric, claims.segment, claims.tag, greatest(cycles.cycle_number, claims.first_cycle_number)
),

looks as (
    select
        claims.program,
        claims.metric,
        claims.segment,
        claims.tag,
        cycles.cycle,
        cycles.cycle_number
    from claims
    inner join cycles on claims.program = cycles.program and claims.first_cycle_number <= cycles.cycle_number
),

accumulated as (
    select
        looks.program,
        looks.metric,
        looks.segment,
        looks.tag,
        looks.cycle,
        looks.cycle_number,
        sum(by_cycle.experiments) over so_far as experiments,
        sum(by_cycle.platform_experiments) over so_far as platform_experiments,
        sum(by_cycle.designed_experiments) over so_far as designed_experiments,
        sum(coalesce(started_creatives.creatives, 0)) over so_far as creatives,
        max(case when by_cycle.experiments > 0 then looks.cycle_number end) over so_far as last_tried_number,
        cast(sum(by_cycle.total) over so_far as double) as total,
        cast(sum(by_cycle.total_square) over so_far as double) as total_square,
        cast(sum(by_cycle.weighted) over so_far as double) as weighted,
        cast(sum(by_cycle.precision_root) over so_far as double) as precision_root,
        cast(sum(by_cycle.weight) over so_far as double) as weight,
        cast(sum(by_cycle.squared_weight) over so_far as double) as squared_weight,
        cast(sum(by_cycle.recent_total) over so_far as double) as recent_total,
        cast(sum(by_cycle.recent_square) over so_far as double) as recent_square,
        cast(sum(by_cycle.any_weighted) over so_far as double) as any_weighted,
        cast(sum(by_cycle.any_weight) over so_far as double) as any_weight
    from looks
    left join by_cycle
        on
            looks.program = by_cycle.program
            and looks.metric = by_cycle.metric
            and looks.segment = by_cycle.segment
            and looks.tag = by_cycle.tag
            and looks.cycle_number = by_cycle.cycle_number
    left join started_creatives
        on
            looks.program = started_creatives.program
            and looks.metric = started_creatives.metric
            and looks.segment = started_creatives.segment
            and looks.tag = started_creatives.tag
            and looks.cycle_number = started_creatives.cycle_number
    window so_far as (
        partition by looks.program, looks.metric, looks.segment, looks.tag
        order by looks.cycle_number
        rows between unbounded preceding and current row
    )
)

select * from accumulated
