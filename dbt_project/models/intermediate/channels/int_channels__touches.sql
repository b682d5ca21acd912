-- One row per touch: a person came through a link of a channel, by a click on a message or by a visit that names its campaign.
-- Opens, impressions and deliveries are no touches. Pages of a visit repeat its campaign, pages are loaded again, and a click on a message
-- is followed by the page it leads to: each is one touch until its campaign has rested for session_gap_minutes.

{% set paid = ['cpc', 'ppc', 'cpm', 'paid', 'paid_social', 'paidsocial', 'paid-social', 'paid_search', 'paidsearch', 'display'] %}
{% set words = {
    'email': ['email', 'e-mail', 'e_mail'], 'sms': ['sms'], 'push': ['push', 'mobile_push', 'web_push'],
} %}

with

terms as (
    select {{ policy('session_gap_minutes') }} * 60 as gap_seconds
),

landings as (
    select
        *,
        coalesce(campaign, experiment_id) as campaign_told,
        case
            {% for channel, said in words.items() %}
                when said_source in ('{{ said | join("', '") }}') then '{{ channel }}'
                when medium in ('{{ said | join("', '") }}') then '{{ channel }}'
            {% endfor %}
        end as channel_said
    from {{ ref('int_channels__landings') }}
),

sources as (
    select * from {{ ref('touch_sources') }}
),

followed as (
    select
        *,
        lag(landed_at) over (
            partition by user_id, said_source, medium, campaign_told order by landed_at, event_source, event_id
        ) as seen_before
    from landings
),

-- The page is the message's where both name one campaign; where the message names none, where the page says that a message led to it.
led_to as (
    select
        pages.event_source,
        pages.event_id,
        clicks.event_source as click_source,
        clicks.event_id as click_id,
        pages.campaign,
        row_number() over (
            partition by clicks.event_source, clicks.event_id order by pages.landed_at, pages.event_source, pages.event_id
        ) as place
    from landings as clicks
    cross join terms
    inner join landings as pages
        on
            clicks.user_id = pages.user_id
            and clicks.landed_at <= pages.landed_at
            and {{ seconds_between('clicks.landed_at', 'pages.landed_at') }} <= terms.gap_seconds
            and (
                pages.campaign in (clicks.campaign, clicks.experiment_id)
                or (clicks.campaign is null and clicks.clicked_message = pages.channel_said)
            )
    where clicks.clicked_message is not null and pages.clicked_message is null
),

messages_pages as (
    select distinct
        event_source,
        event_id
    from led_to
)

select
    followed.event_source,
    followed.event_id,
    followed.user_id,
    coalesce(sources.source, followed.said_source) as source,
    followed.medium,
    coalesce(followed.campaign_told, led_to.campaign) as campaign,
    followed.creative_id,
    followed.landed_on as touched_on,
    followed.landed_at as touched_at
from followed
cross join terms
left join messages_pages on followed.event_source = messages_pages.event_source and followed.event_id = messages_pages.event_id
left join led_to on followed.event_source = led_to.click_source and followed.event_id = led_to.click_id and led_to.place = 1
left join sources on followed.said_source = sources.said and followed.medium in ('{{ paid | join("', '") }}')
where
    messages_pages.event_id is null
    and coalesce({{ seconds_between('followed.seen_before', 'followed.landed_at') }} > terms.gap_seconds, true)
