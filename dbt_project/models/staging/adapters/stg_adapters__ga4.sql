-- One row per row of the declared GA4 export tables (the daily ones) whose day is final, as a canonical event.
-- Google changes a day's table for up to three days and drops what comes later, and the export has no time of arrival. So a day is read
-- once it is `final_after_days` old by the newest day of the table, and counts as known from the end of that day on.
-- GA4 has no event id: the digest of device, time, name, parameters and place in the batch stands in. All events of a batch may have one
-- time, so that the place tells them apart; where an older export has none their items do. What a row lacks adds nothing to its digest, so
-- that ids stay when the export gets such a column.
-- Visits through Google Ads that Google tagged itself have a gclid and no campaign of their own: they came from google by cpc.

{% set entries = adapters_of(['ga4']) %}
{{ config(enabled=entries | length > 0) }}
{% set types = {'page_view': 'page', 'screen_view': 'screen'} %}
{% set automatic = [
    'ad_exposure', 'app_clear_data', 'app_exception', 'app_remove', 'app_store_refund', 'app_store_subscription_cancel',
    'app_store_subscription_convert', 'app_store_subscription_renew', 'app_update', 'error', 'firebase_campaign', 'notification_dismiss',
    'notification_foreground', 'notification_receive', 'notification_send', 'os_update',
] %}
{% set places = ['batch_page_id', 'batch_ordering_id', 'batch_event_index', 'event_bundle_sequence_id'] %}
{% set known = {
    'purchase': 'Order Completed', 'refund': 'Order Refunded', 'sign_up': 'Signed Up', 'login': 'Signed In', 'view_item': 'Product Viewed',
    'add_to_cart': 'Product Added', 'view_cart': 'Cart Viewed', 'begin_checkout': 'Checkout Started', 'select_promotion': 'Promotion Clicked',
} %}

with

united as (
    {% for entry in entries %}
        {% set columns, told_apart = columns_of(entry.relation), [] %}
        {% for place in places if place in columns %}
            {% do told_apart.append("'" ~ place ~ " ' || cast(told." ~ place ~ " as string)") %}
        {% endfor %}
        {% if 'items' in columns %}
            {% set index = first_column(['batch_event_index'], columns, 'bigint') %}
            {% do told_apart.append('case when ' ~ index ~ ' is null then ' ~ json_text_of('told.items') ~ ' end') %}
        {% endif %}
        select
            {{ text_or_null(entry.source) }} as source,
            told.event_name as said_name,
            {{ canonical_name('told.event_name', entry, known) }} as event_name,
            {{ person_or_device('told.user_id', 'told.user_pseudo_id', entry) }} as user_id,
            told.user_pseudo_id,
            coalesce(told.user_pseudo_id, told.user_id, '') as device_or_person,
            told.event_timestamp,
            {{ date_of_digits('told.event_date') }} as event_on,
            max({{ date_of_digits('told.event_date') }}) over () as newest_on,
            cast({{ entry.final_after_days or 3 }} as integer) as final_after_days,
            {{ adapted_channel('told.event_name', entry, automatic) }} as channel,
            {{ ga4_params('told.event_params') }} as properties,
            {{ "nullif(concat_ws('|', " ~ told_apart | join(', ') ~ "), '')" if told_apart else 'cast(null as string)' }} as place_in_batch,
            {{ json_text_of('told.ecommerce') if 'ecommerce' in columns else 'cast(null as string)' }} as ecommerce,
            {{ json_text_of('told.collected_traffic_source') if 'collected_traffic_source' in columns else 'cast(null as string)' }} as traffic
        from {{ entry.relation }} as told
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

final_days as (
    select * from united
    where {{ days_after('event_on', 'final_after_days') }} <= newest_on
),

read as (
    select
        *,
        {{ json_at('traffic', ['gclid']) }} is not null and {{ json_at('traffic', ['manual_source']) }} is null as is_tagged_by_google,
        {{ json_at('traffic', ['manual_source']) }} as manual_source,
        {{ json_at('traffic', ['manual_medium']) }} as manual_medium,
        {{ json_at('traffic', ['manual_campaign_name']) }} as manual_campaign,
        case
            when said_name = 'refund' then {{ json_at('ecommerce', ['refund_value']) }}
            else {{ json_at('ecommerce', ['purchase_revenue']) }}
        end as told_value
    from final_days
)

select
    {{ sha256_of("concat_ws('|', device_or_person, cast(event_timestamp as string), said_name, properties, place_in_batch)") }} as event_id,
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
    coalesce(try_cast(told_value as decimal(18, 4)), try_cast({{ json_at('properties', ['value']) }} as decimal(18, 4))) as value,
    {{ json_at('properties', ['currency']) }} as currency,
    properties,
    {{ context_of(
        "case when is_tagged_by_google then 'google' else manual_source end",
        "case when is_tagged_by_google then 'cpc' else manual_medium end",
        'manual_campaign',
        'cast(null as string)'
    ) }} as context
from read
