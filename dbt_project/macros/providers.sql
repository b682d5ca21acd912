{# The providers whose events are of messages: each has a staging model of the same shape. #}
{% macro message_providers() -%}
    {{ return(['sendgrid', 'ses', 'postmark', 'mailgun', 'customerio', 'klaviyo', 'klaviyo_pulls', 'twilio', 'one_click']) }}
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

{# How Klaviyo's metric travelled, and what it says in our words; the same for what it pushes and what is pulled. #}
{% macro klaviyo_channel(metric) -%}
    case when {{ metric }} like '%sms%' then 'sms' when {{ metric }} like '%push%' then 'push' else 'email' end
{%- endmacro %}

{% macro klaviyo_event_type(metric) -%}
    case
        when {{ metric }} like 'received_%' then 'delivered'
        when {{ metric }} like 'sent_%' then 'sent'
        when {{ metric }} like 'opened_%' then 'opened'
        when {{ metric }} like 'clicked_%' then 'clicked'
        when {{ metric }} like 'bounced_%' then 'bounced'
        when {{ metric }} like 'dropped_%' then 'rejected'
        when {{ metric }} like 'failed_to_deliver_%' then 'failed'
        when {{ metric }} like 'marked_%_as_spam' then 'complained'
        when {{ metric }} like 'unsubscribed%' then 'unsubscribed'
        when {{ metric }} like 'subscribed%' then 'subscribed'
        else 'unknown'
    end
{%- endmacro %}
