{# Names of the events that are a click on a message or a promotion, as text literals. #}
{% macro click_events() %}'Email Link Clicked', 'SMS Link Clicked', 'Push Notification Tapped', 'Promotion Clicked'{% endmacro %}
