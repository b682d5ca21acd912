{# Fails where a happening of a derived kind is not one row per row it comes from: a join that repeats it would count it twice. #}
{% test unique_happenings(model) %}
select
    found.happenings,
    told.happenings as expected
from (select count(*) as happenings from {{ model }} where event_name = 'Any Activity') as found
cross join (select count(*) as happenings from {{ ref('stg_events__events') }} where is_activity) as told
where found.happenings not in (0, told.happenings)
{% endtest %}
