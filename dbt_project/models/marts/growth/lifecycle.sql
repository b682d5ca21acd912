-- One row per UTC day and segment: where the people active that day came from, and how many are dormant.
-- active = new + retained + resurrected, and dormant today = dormant yesterday + turned_dormant - resurrected.

with

terms as (
    select * from {{ ref('int_growth_terms') }}
),

windows as (
    select * from {{ ref('int_people__active_windows') }}
),

followed as (
    select
        *,
        sum(new) over (partition by segment order by day rows unbounded preceding) - mau as dormant,
        coalesce(lag(mau) over (partition by segment order by day), 0) as mau_before
    from windows
),

judged as (
    select
        followed.*,
        mau_before + new + resurrected - mau as turned_dormant,
        terms.min_people,
        terms.interval_z,
        followed.day < terms.unseen_from as is_mature
    from followed
    cross join terms
),

reasoned as (
    select
        *,
        mau_before >= min_people as meets_min_sample,
        {{ withheld_reason('is_mature', 'mau_before', 'min_people') }} as withheld_reason
    from judged
)

select
    day,
    segment,
    {% for count in ['dau', 'new', 'retained', 'resurrected', 'dormant', 'turned_dormant'] %}
        case when is_mature then cast({{ count }} as bigint) end as {{ 'active' if count == 'dau' else count }},
    {% endfor %}
    case when is_mature then mau_before end as n,
    {{ rate_columns('turned_dormant', 'mau_before') }}
    is_mature,
    meets_min_sample,
    withheld_reason
from reasoned
