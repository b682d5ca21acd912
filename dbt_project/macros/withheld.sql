{# Why a share may not be read; null where it may. Every growth mart words it the same way. #}
{% macro withheld_reason(is_mature, people, least) %}
    case
        when not coalesce({{ is_mature }}, false) then 'not mature: the window has not passed for everyone'
        when {{ people }} = 0 then 'nobody to count'
        when {{ people }} < {{ least }} then concat('too few people: ', {{ people }}, ' of ', cast({{ least }} as bigint))
    end
{% endmacro %}
