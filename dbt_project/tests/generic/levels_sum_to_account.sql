{# Fails where a level, its remainders included, does not add up to the account's own measures of the day. #}
{% test levels_sum_to_account(model, measures) %}
with

totals as (
    select
        provider,
        account_id,
        day,
        level,
        {% for measure in measures %}
            sum({{ measure }}) as {{ measure }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ model }}
    group by provider, account_id, day, level
)

select totals.*
from totals
inner join totals as accounts
    on
        totals.provider = accounts.provider
        and totals.account_id = accounts.account_id
        and totals.day = accounts.day
        and accounts.level = 'account'
where
    {% for measure in measures %}
        abs(totals.{{ measure }} - accounts.{{ measure }}) > 1e-6 * greatest(abs(accounts.{{ measure }}), 1) {{ 'or' if not loop.last }}
    {% endfor %}
{% endtest %}
