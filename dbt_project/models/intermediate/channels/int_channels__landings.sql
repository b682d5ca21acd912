-- One row per event by which a known person came through a link of a channel: a click on a message, or a page or screen that names its
-- campaign. New ones are added; a day is made anew where a click's delivery or a person's merge is new.

{% set owed = owed_events(this, ref('int_people__known_days')) %}

{{ config(
    materialized='incremental',
    on_schema_change='fail',
    pre_hook="{{ without_days(this, 'landed_on', days_made_anew(this, ref('int_people__known_days'))) }}",
    **replaced_by('landed_on'),
) }}

{% set messages = {'Email Link Clicked': 'email', 'SMS Link Clicked': 'sms', 'Push Notification Tapped': 'push'} %}

with

events as (
    select * from {{ ref('stg_events__events') }}
    where is_human and is_known_version and person_id is not null
    {{ and_is_owed(owed) }}
),

learned as (
    select * from {{ ref('stg_events__learned') }}
),

clicks as (
    select
        *,
        case event_name
            {% for name, channel in messages.items() %}
                when '{{ name }}' then '{{ channel }}'
            {% endfor %}
        end as clicked_message
    from events
    where
        event_name in ('{{ messages | join("', '") }}')
        or (type in ('page', 'screen') or event_name in ('Page Viewed', 'Application Opened'))
        and (cast(context as string) like '%campaign%' or cast(properties as string) like '%utm_source%')
),

read as (
    select
        source as event_source,
        event_id,
        person_id as user_id,
        clicked_message,
        lower(coalesce(
            {{ json_text('context', '$.campaign.source') }},
            {{ json_text('properties', '$.utm_source') }},
            clicked_message
        )) as said_source,
        lower(coalesce({{ json_text('context', '$.campaign.medium') }}, {{ json_text('properties', '$.utm_medium') }})) as medium,
        coalesce({{ json_text('context', '$.campaign.name') }}, {{ json_text('properties', '$.utm_campaign') }}) as campaign,
        experiment_id,
        creative_id,
        cast(occurred_at as date) as landed_on,
        occurred_at as landed_at
    from clicks
)

select
    read.*,
    learned.built_through,
    learned.received_events
from read
cross join learned
where read.said_source is not null
