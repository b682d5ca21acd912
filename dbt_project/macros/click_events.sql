{# Names of the events that are a click on a message or a promotion. #}
{% macro click_events() %}
    {{ return(['Email Link Clicked', 'SMS Link Clicked', 'Push Notification Tapped', 'Promotion Clicked']) }}
{% endmacro %}
