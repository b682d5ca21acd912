{#
    From here on an amount, of an entry or of a person in an experiment, is a slip of somebody's: sums of squares are taken exactly
    (`exact_sum`), and those of greater ones would not fit. It is a million million of whatever currency is reported in.
#}
{% macro largest_amount() %}1e12{% endmacro %}

{# An event's value as it enters a person's sum: a missing one is nothing, and a slip is cut, so that no sum can overflow. #}
{% macro told_amount(value) %}greatest(least(coalesce({{ value }}, 0), {{ largest_amount() }}), -{{ largest_amount() }}){% endmacro %}

{# What a person contributes to a metric: 0 or 1, a number or a sum of values up to the metric's cap; with at_least, whether the number reaches it. #}
{% macro person_outcome(value_kind, events, event_value, cap, at_least) %}
    cast(
        case
            when {{ at_least }} is not null and {{ value_kind }} <> 'sum'
                then case when coalesce({{ events }}, 0) >= {{ at_least }} then 1 else 0 end
            when {{ value_kind }} in ('any', 'steps') then least(coalesce({{ events }}, 0), 1)
            when {{ value_kind }} = 'sum'
                then greatest(
                    least(coalesce({{ event_value }}, 0), coalesce({{ cap }}, {{ largest_amount() }}), {{ largest_amount() }}),
                    -{{ largest_amount() }}
                )
            else least(coalesce({{ events }}, 0), coalesce({{ cap }}, 1e9))
        end as double
    )
{% endmacro %}
