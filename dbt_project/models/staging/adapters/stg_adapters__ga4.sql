-- One row per row of the declared GA4 export tables (the daily ones) whose day is final, as a canonical event.
-- Google changes a day's table for up to three days and drops what comes later, and the export has no time of arrival. So a day is read
-- once it is `final_after_days` old by the newest day of the table, and counts as known from the end of that day on.
-- GA4 has no event id: the digest of person, time, name, session and parameters stands in; equal events of one microsecond are one.

{% set entries = adapters_of(['ga4']) %}
{{ config(enabled=entries | length > 0) }}
{% set types = {'page_view': 'page', 'screen_view': 'screen'} %}
{% set known = {
    'purchase': 'Order Completed', 'refund': 'Order Refunded', 'sign_up': 'Signed Up', 'login': 'Signed In', 'view_item': 'Product Viewed',
    'add_to_cart': 'Product Added', 'view_cart': 'Cart Viewed', 'begin_checkout': 'Checkout Started', 'select_promotion': 'Promotion Clicked',
} %}

with

united as (
    {% for entry in entries %}
        select
            {{ text_or_null(entry.source) }} as source,
            told.event_name as said_name,
            {{ canonical_name('told.event_name', entry, known) }} as event_name,
            told.user_id,
            told.user_pseudo_id,
            told.event_timestamp,
            {{ date_of_digits('told.event_date') }} as event_on,
            max({{ date_of_digits('told.event_date') }}) over () as newest_on,
            cast({{ entry.final_after_days or 3 }} as integer) as final_after_days,
            {{ text_or_null(entry.channel or 'web') }} as channel,
            {{ ga4_params('told.event_params') }} as properties,
            told.ecommerce.purchase_revenue as purchase_revenue,
            told.collected_traffic_source.manual_source as utm_source,
            told.collected_traffic_source.manual_medium as utm_medium,
            told.collected_traffic_source.manual_campaign_name as utm_campaign
        from {{ entry.relation }} as told
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

final_days as (
    select * from united
    where {{ days_after('event_on', 'final_after_days') }} <= newest_on
)

select
    {{ sha256_of("concat_ws('|', coalesce(user_pseudo_id, ''), cast(event_timestamp as string), said_name, properties)") }} as event_id,
    source,
    case said_name {% for name, type in types.items() %}when '{{ name }}' then '{{ type }}' {% endfor %}else 'track' end as type,
    case when said_name not in ('{{ types | join("', '") }}') then event_name end as event_name,
    user_id,
    user_pseudo_id as anonymous_id,
    {{ micros_as_timestamp('event_timestamp') }} as occurred_at,
    cast(null as timestamp) as original_at,
    cast(null as timestamp) as sent_at,
    {{ micros_as_timestamp('event_timestamp') }} as received_at,
    cast({{ days_after('event_on', 'final_after_days + 1') }} as timestamp) as ingested_at,
    channel,
    cast(null as boolean) as is_machine,
    coalesce(try_cast(purchase_revenue as decimal(18, 4)), try_cast({{ json_at('properties', ['value']) }} as decimal(18, 4))) as value,
    {{ json_at('properties', ['currency']) }} as currency,
    properties,
    {{ context_of('utm_source', 'utm_medium', 'utm_campaign', 'cast(null as string)') }} as context
from final_days
