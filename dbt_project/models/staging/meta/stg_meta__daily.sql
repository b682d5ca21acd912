-- One row per reading, entity and day that Meta reported, every version kept. Numbers are texts there. Of the actions that it
-- claims one kind counts, the widest that it tells: they hold each other, so a sum would count a purchase several times.

with

rows_read as (
    select * from {{ source('raw_meta', 'insights') }}
),

readings as (
    select * from {{ ref('stg_pulls__readings') }}
    where level in ('account', 'campaign', 'ad_set', 'ad')
),

actions_listed as (
    select
        row_id,
        {{ json_items(json_part('item', ['actions'])) }} as actions,
        {{ json_items(json_part('item', ['action_values'])) }} as action_values
    from rows_read
),

actions_told as (
    select
        row_id,
        {{ each_of('actions', 'action', 'action_number') }}
    from actions_listed
),

values_told as (
    select
        row_id,
        {{ each_of('action_values', 'action', 'action_number') }}
    from actions_listed
),

{% set kinds = ['omni_purchase', 'purchase', 'offsite_conversion.fb_pixel_purchase'] %}
{% for told, claimed in [('actions_told', 'claimed_counts'), ('values_told', 'claimed_values')] %}
{{ claimed }} as (
    select
        row_id,
        coalesce(
            {% for kind in kinds %}
                max(
                    case
                        when {{ json_at('action', ['action_type']) }} = '{{ kind }}'
                            then cast(try_cast({{ json_at('action', ['value']) }} as decimal(18, 6)) as double)
                    end
                ){{ ',' if not loop.last }}
            {% endfor %}
        ) as claimed
    from {{ told }}
    group by row_id
),

{% endfor %}
fields as (
    select
        rows_read.reading_id,
        {{ json_at('item', ['campaign_id']) }} as campaign_id,
        {{ json_at('item', ['campaign_name']) }} as campaign_name,
        {{ json_at('item', ['adset_id']) }} as adset_id,
        {{ json_at('item', ['ad_id']) }} as ad_id,
        {{ json_at('item', ['account_currency']) }} as currency,
        try_cast({{ json_at('item', ['date_start']) }} as date) as day,
        cast(try_cast({{ json_at('item', ['spend']) }} as decimal(18, 6)) as double) as spend,
        try_cast({{ json_at('item', ['impressions']) }} as bigint) as impressions,
        try_cast({{ json_at('item', ['clicks']) }} as bigint) as clicks,
        claimed_counts.claimed as conversions,
        claimed_values.claimed as conversion_value
    from rows_read
    left join claimed_counts on rows_read.row_id = claimed_counts.row_id
    left join claimed_values on rows_read.row_id = claimed_values.row_id
)

select
    fields.reading_id as extraction_id,
    readings.provider,
    readings.account_id,
    readings.level,
    fields.campaign_id,
    fields.campaign_name,
    fields.adset_id as ad_set_id,
    fields.ad_id,
    cast(null as string) as breakdown,
    upper(fields.currency) as currency,
    readings.day,
    fields.spend,
    fields.impressions,
    fields.clicks,
    fields.conversions,
    fields.conversion_value,
    readings.extracted_at,
    readings.superseded_at
from fields
inner join readings on fields.reading_id = readings.reading_id and fields.day = readings.day
