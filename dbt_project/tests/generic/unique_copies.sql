{# Fails where one id of one source stands for two different events: copies may repeat, but say the same name at the same time. #}
{% test unique_copies(model) %}
select source, event_id
from {{ model }}
group by source, event_id
having count(distinct coalesce(event_name, type)) > 1 or count(distinct occurred_at) > 1
{% endtest %}
