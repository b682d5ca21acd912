-- One row per touch: a person came through a link of a channel, by a click on a message or by a visit that names its campaign.
-- Opens, impressions and deliveries are no touches. New ones are added; a day is made anew where a click's delivery or a person's merge is new.

{% set owed = owed_events(this, ref('int_people__known_days')) %}

{{ config(
    materialized='incremental',
    on_schema_change='fail',
    pre_hook="{{ without_days(this, 'touched_on', days_made_anew(this, ref('int_people__known_days'))) }}",
    **replaced_by('touched_on'),
) }}

{% set paid = ['cpc', 'ppc', 'cpm', 'paid', 'paid_social', 'paidsocial', 'paid-social', 'paid_search', 'paidsearch', 'display'] %}

with

events as (
    select * from {{ ref('stg_events__events') }}
    where is_human and is_known_version and person_id is not null
    {{ and_is_owed(owed) }}
),

learned as (
    select * from {{ ref('stg_events__learned') }}
),

sources as (
    select * from {{ ref('touch_sources') }}
),

clicks as (
    select
        *,
        event_name in ('Email Link Clicked', 'SMS Link Clicked', 'Push Notification Tapped') as is_message_click
    from events
    where
        event_name in ('Email Link Clicked', 'SMS Link Clicked', 'Push Notification Tapped')
        or (type in ('page', 'screen') or event_name in ('Page Viewed', 'Application Opened'))
        and (cast(context as string) like '%campaign%' or cast(properties as string) like '%utm_source%')
),

read as (
    select
        source as event_source,
        event_id,
        person_id as user_id,
        lower(coalesce(
            {{ json_text('context', '$.campaign.source') }},
            {{ json_text('properties', '$.utm_source') }},
            case when is_message_click then coalesce(channel, 'message') end
        )) as said_source,
        lower(coalesce({{ json_text('context', '$.campaign.medium') }}, {{ json_text('properties', '$.utm_medium') }})) as medium,
        coalesce(
            {{ json_text('context', '$.campaign.name') }},
            {{ json_text('properties', '$.utm_campaign') }},
            experiment_id
        ) as campaign,
        creative_id,
        cast(occurred_at as date) as touched_on,
        occurred_at as touched_at
    from clicks
)

select
    read.event_source,
    read.event_id,
    read.user_id,
    coalesce(sources.source, read.said_source) as source,
    read.medium,
    read.campaign,
    read.creative_id,
    read.touched_on,
    read.touched_at,
    learned.built_through,
    learned.received_events
from read
cross join learned
left join sources on read.said_source = sources.said and read.medium in ('{{ paid | join("', '") }}')
where read.said_source is not null
