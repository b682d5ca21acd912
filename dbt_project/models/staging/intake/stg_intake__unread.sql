-- One row per element of a delivery that is no event, with the reason. Nothing that arrived is dropped: it is an event, a copy of one, or here.

{% for provider in message_providers() + ['segment'] %}
    select
        inbox_id,
        item_number,
        '{{ provider }}' as provider,
        source,
        received_at,
        ingested_at,
        unread_reason
    from {{ ref('stg_' ~ provider ~ '__events') }}
    where unread_reason is not null
    {{ 'union all' if not loop.last }}
{% endfor %}
