-- One row per message and recipient that an event tells of: what became of it, counted with everything and without what machines did.

{% set kinds = [
    ('delivered', 'deliveries'), ('bounced', 'bounces'), ('opened', 'opens'), ('clicked', 'clicks'), ('unsubscribed', 'unsubscribes'),
    ('complained', 'complaints'),
] %}

with

events as (
    select * from {{ ref('int_channels__events') }}
    where coalesce(send_id, message_id) is not null
),

counted as (
    select
        provider,
        channel,
        coalesce(send_id, message_id) as message_key,
        recipient,
        min(experiment_id) as experiment_id,
        min(creative_id) as creative_id,
        min(campaign_id) as campaign_id,
        {% for type, count in kinds %}
            cast(count(case when event_type = '{{ type }}' then 1 end) as integer) as {{ count }},
        {% endfor %}
        cast(count(case when event_type = 'opened' and is_machine is null then 1 end) as integer) as opens_filtered,
        cast(count(case when event_type = 'clicked' and is_machine is null then 1 end) as integer) as clicks_filtered,
        min(occurred_at) as first_at,
        max(ingested_at) as ingested_at
    from events
    group by provider, channel, coalesce(send_id, message_id), recipient
)

select
    provider,
    channel,
    message_key,
    recipient,
    experiment_id,
    creative_id,
    campaign_id,
    {% for _, count in kinds %}
        {{ count }},
    {% endfor %}
    opens_filtered,
    clicks_filtered,
    opens > 0 as is_opened,
    opens_filtered > 0 as is_opened_filtered,
    clicks > 0 as is_clicked,
    clicks_filtered > 0 as is_clicked_filtered,
    first_at,
    ingested_at
from counted
