-- One row per ISO week and path: the sources that touched a person before a conversion, in order, repeats in a row told once.

with

terms as (
    select * from {{ ref('int_growth_terms') }}
),

credits as (
    select * from {{ ref('int_channels__credits') }}
),

followed as (
    select
        *,
        lag(source) over (partition by conversion_source, conversion_id order by place) as source_before
    from credits
),

paths as (
    select
        week,
        conversion_source,
        conversion_id,
        max(user_id) as user_id,
        max(amount) as amount,
        max(touches) as touches,
        max(age_days) as days,
        {{ joined_text("case when source_before is null then source when source <> source_before then concat(' > ', source) else '' end", 'place') }}
            as path
    from followed
    group by week, conversion_source, conversion_id
),

by_path as (
    select
        week,
        path,
        count(*) as conversions,
        count(distinct user_id) as people,
        cast(sum(touches) as bigint) as touches,
        {{ exact_total('amount') }} as revenue,
        {{ exact_total('days') }} as days
    from paths
    group by week, path
),

judged as (
    select
        by_path.*,
        cast(sum(by_path.conversions) over (partition by by_path.week) as bigint) as n,
        terms.min_people,
        terms.interval_z,
        coalesce({{ days_after('by_path.week', 7) }} <= terms.unseen_from, false) as is_mature
    from by_path
    cross join terms
),

reasoned as (
    select
        *,
        n >= min_people as meets_min_sample,
        {{ withheld_reason('is_mature', 'n', 'min_people') }} as withheld_reason
    from judged
)

select
    week,
    path,
    conversions,
    people,
    touches,
    revenue,
    n,
    case when withheld_reason is null then conversions / cast(n as double) end as rate,
    case when withheld_reason is null then {{ wilson_low('conversions', 'n', 'interval_z') }} end as ci_low,
    case when withheld_reason is null then {{ wilson_high('conversions', 'n', 'interval_z') }} end as ci_high,
    case when withheld_reason is null then days / conversions end as mean_days,
    is_mature,
    meets_min_sample,
    withheld_reason
from reasoned
