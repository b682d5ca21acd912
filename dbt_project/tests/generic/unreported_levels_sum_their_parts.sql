{# Fails where nobody reported a level on an account's day and its rows are not the sum of the next finer level's, remainders aside. #}
{% test unreported_levels_sum_their_parts(model, measures) %}
with

totals as (
    select
        provider,
        account_id,
        day,
        level,
        case level when 'account' then 'campaign' when 'campaign' then 'ad_set' when 'ad_set' then 'ad' end as finer_level,
        max(case when is_reported then 1 else 0 end) as is_reported,
        {% for measure in measures %}
            sum(case when is_remainder then 0 else {{ measure }} end) as {{ measure }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ model }}
    group by provider, account_id, day, level
)

select totals.*
from totals
inner join totals as finer
    on
        totals.provider = finer.provider
        and totals.account_id = finer.account_id
        and totals.day = finer.day
        and totals.finer_level = finer.level
where
    totals.is_reported = 0
    and (
        {% for measure in measures %}
            abs(totals.{{ measure }} - finer.{{ measure }}) > 1e-6 * greatest(abs(finer.{{ measure }}), 1) {{ 'or' if not loop.last }}
        {% endfor %}
    )
{% endtest %}
