{# Why nothing is known of whom a message reached; null where something is. Only mail has an event of its delivery. #}
{% macro exposure_withheld_reason(n_exposed, is_live, channel) %}
    case
        when {{ n_exposed }} is null and not {{ is_live }} then 'past experiment: its file does not say whom the message reached'
        when {{ n_exposed }} is null and coalesce({{ channel }}, 'email') <> 'email' then concat('channel ', {{ channel }}, ' has no delivery event')
        when {{ n_exposed }} is null then 'no delivery had been reported when the people were counted'
    end
{% endmacro %}
