{# What a person contributes to a metric: 0 or 1, a number of events or the sum of their values, up to the metric's cap. #}
{% macro person_outcome(value_kind, events, event_value, cap) %}
    cast(
        case {{ value_kind }}
            when 'any' then least(coalesce({{ events }}, 0), 1)
            when 'count' then least(coalesce({{ events }}, 0), coalesce({{ cap }}, 1e9))
            else least(coalesce({{ event_value }}, 0), coalesce({{ cap }}, 1e18))
        end as double
    )
{% endmacro %}
