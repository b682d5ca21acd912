{# Fails where the row of all segments does not count the people of experiment_statistics, or the single segments do not sum to it. #}
{% test same_people_as_statistics(model, by) %}
with

found as (
    select
        {{ by | join(', ') }},
        max(case when segment = 'all' then n end) as n,
        sum(case when segment <> 'all' then n end) as in_segments
    from {{ model }}
    group by {{ by | join(', ') }}
),

told as (
    select
        {{ by | join(', ') }},
        sum(n) as n
    from {{ ref('experiment_statistics') }}
    group by {{ by | join(', ') }}
)

select told.*
from told
left join found on {% for column in by %}told.{{ column }} = found.{{ column }}{{ ' and ' if not loop.last }}{% endfor %}
where coalesce(found.n, -1) <> told.n or coalesce(found.in_segments, found.n) <> found.n
{% endtest %}
