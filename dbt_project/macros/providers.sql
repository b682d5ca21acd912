{# The providers whose events are of messages: each has a staging model of the same shape. #}
{% macro message_providers() -%}
    {{ return(['sendgrid', 'ses', 'postmark', 'mailgun', 'customerio', 'klaviyo', 'twilio', 'one_click']) }}
{%- endmacro %}

{# Segment's name for what happened to a message; null where it has none. #}
{% macro semantic_name(event_type, channel) -%}
    case
        when {{ event_type }} = 'unsubscribed' then 'Unsubscribed'
        when {{ event_type }} = 'subscribed' then 'Subscribed'
        else
            case {{ channel }} when 'email' then 'Email' when 'sms' then 'SMS' when 'push' then 'Push Notification' when 'in_app' then 'In-App Message' end
            || case {{ event_type }}
                when 'sent' then ' Sent'
                when 'delivered' then ' Delivered'
                when 'deferred' then ' Deferred'
                when 'opened' then ' Opened'
                when 'clicked' then ' Link Clicked'
                when 'bounced' then ' Bounced'
                when 'rejected' then ' Rejected'
                when 'failed' then ' Failed'
                when 'complained' then ' Marked as Spam'
            end
    end
{%- endmacro %}
