-- One row per ISO week in which somebody was engaged or had been the week before: who of last week's engaged people still is.

with

terms as (
    select * from {{ ref('int_growth_terms') }}
),

weeks as (
    select * from {{ ref('int_people__engaged_weeks') }}
),

judged as (
    select
        weeks.*,
        terms.min_people,
        terms.interval_z,
        coalesce({{ days_after('weeks.week', 7) }} <= terms.unseen_from, false) as is_mature
    from weeks
    cross join terms
    where weeks.week < terms.unseen_from
),

reasoned as (
    select
        *,
        engaged_before >= min_people as meets_min_sample,
        {{ withheld_reason('is_mature', 'engaged_before', 'min_people') }} as withheld_reason
    from judged
)

select
    week,
    case when is_mature then engaged end as engaged,
    case when is_mature then engaged - retained end as newly_engaged,
    case when is_mature then engaged_before - retained end as lost,
    engaged_before as n,
    case when is_mature then retained end as retained,
    case when withheld_reason is null then retained / cast(engaged_before as double) end as rate,
    case when withheld_reason is null then {{ wilson_low('retained', 'engaged_before', 'interval_z') }} end as ci_low,
    case when withheld_reason is null then {{ wilson_high('retained', 'engaged_before', 'interval_z') }} end as ci_high,
    is_mature,
    meets_min_sample,
    withheld_reason
from reasoned
