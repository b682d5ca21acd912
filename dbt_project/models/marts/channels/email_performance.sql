-- One row per experiment, creative and day of sending: what became of the messages, people and machines apart.
-- A message is sent on the day the ledger says, else on the day of its first event. Test traffic is left out, and what a sender of the loop
-- withheld, could not hand over or keeps waiting was never sent.

{% set counts = [
    'deliveries', 'bounces', 'opens', 'opens_human', 'opens_machine', 'clicks', 'clicks_human', 'clicks_machine', 'unsubscribes',
    'complaints',
] %}

with

terms as (
    select * from {{ ref('int_growth_terms') }}
),

events as (
    select * from {{ ref('stg_events__events') }}
    where
        channel = 'email'
        and send_id is not null
        and bot_reason is distinct from 'test traffic'
),

sends as (
    select
        send_id,
        min(experiment_id) as experiment_id,
        min(creative_id) as creative_id,
        min(scheduled_at) as sent_at
    from {{ ref('stg_ledger__sends') }}
    where channel = 'email' and not is_dry_run
    group by send_id
),

journal as (
    select
        send_id,
        standing,
        row_number() over (partition by send_id order by occurred_at desc, sequence desc) as from_the_last
    from {{ ref('stg_ledger__send_events') }}
),

responses as (
    select
        send_id,
        min(experiment_id) as experiment_id,
        min(creative_id) as creative_id,
        min(occurred_at) as first_event_at,
        count(case when event_name = 'Email Delivered' then 1 end) as deliveries,
        count(case when event_name = 'Email Bounced' then 1 end) as bounces,
        count(case when event_name = 'Email Opened' then 1 end) as opens,
        count(case when event_name = 'Email Opened' and is_human then 1 end) as opens_human,
        count(case when event_name = 'Email Opened' and is_bot then 1 end) as opens_machine,
        count(case when event_name = 'Email Link Clicked' then 1 end) as clicks,
        count(case when event_name = 'Email Link Clicked' and is_human then 1 end) as clicks_human,
        count(case when event_name = 'Email Link Clicked' and is_bot then 1 end) as clicks_machine,
        count(case when event_name = 'Unsubscribed' then 1 end) as unsubscribes,
        count(case when event_name = 'Email Marked as Spam' then 1 end) as complaints
    from events
    group by send_id
),

messages as (
    select
        coalesce(sends.experiment_id, responses.experiment_id) as experiment_id,
        coalesce(sends.creative_id, responses.creative_id) as creative_id,
        cast(coalesce(sends.sent_at, responses.first_event_at) as date) as sent_on,
        {% for count in counts %}
            coalesce(responses.{{ count }}, 0) as {{ count }},
        {% endfor %}
        responses.send_id is not null or coalesce(journal.standing in ('sent', 'unknown'), true) as is_handed_over
    from sends
    full outer join responses on sends.send_id = responses.send_id
    left join journal on sends.send_id = journal.send_id and journal.from_the_last = 1
),

-- An open, a click, an unsubscribe or a complaint proves delivery, even where the provider's word of it got lost. What was handed over as a
-- file has no journal; a response proves that a message left, whatever the journal says.
counted as (
    select
        experiment_id,
        creative_id,
        sent_on,
        count(case when is_handed_over then 1 end) as messages,
        count(case when not is_handed_over then 1 end) as unsent,
        count(case when deliveries + opens_human + clicks_human + unsubscribes + complaints > 0 then 1 end) as delivered,
        count(case when bounces > 0 then 1 end) as bounced,
        count(case when opens_human > 0 then 1 end) as opened,
        count(case when clicks_human > 0 then 1 end) as clicked,
        count(case when unsubscribes > 0 then 1 end) as unsubscribed,
        count(case when complaints > 0 then 1 end) as complained,
        {% for count in ['opens', 'opens_human', 'opens_machine', 'clicks', 'clicks_human', 'clicks_machine'] %}
            cast(sum({{ count }}) as bigint) as {{ count }}{{ ',' if not loop.last }}
        {% endfor %}
    from messages
    where experiment_id is not null and creative_id is not null
    group by experiment_id, creative_id, sent_on
),

judged as (
    select
        counted.*,
        terms.min_people,
        terms.interval_z,
        coalesce({{ days_after('counted.sent_on', '1 + terms.email_days') }} <= terms.as_of_day, false) as is_mature
    from counted
    cross join terms
),

reasoned as (
    select
        *,
        delivered >= min_people as meets_min_sample,
        {{ withheld_reason('is_mature', 'delivered', 'min_people') }} as withheld_reason
    from judged
)

select
    experiment_id,
    creative_id,
    sent_on,
    messages,
    unsent,
    delivered,
    bounced,
    opened,
    clicked,
    unsubscribed,
    complained,
    opens,
    opens_human,
    opens_machine,
    clicks,
    clicks_human,
    clicks_machine,
    delivered as n,
    case when withheld_reason is null then clicked / cast(delivered as double) end as rate,
    case when withheld_reason is null then {{ wilson_low('clicked', 'delivered', 'interval_z') }} end as ci_low,
    case when withheld_reason is null then {{ wilson_high('clicked', 'delivered', 'interval_z') }} end as ci_high,
    case when withheld_reason is null then opened / cast(delivered as double) end as open_rate,
    case when withheld_reason is null then unsubscribed / cast(delivered as double) end as unsubscribe_rate,
    case when withheld_reason is null then complained / cast(delivered as double) end as complaint_rate,
    case when is_mature and messages >= min_people then bounced / nullif(cast(messages as double), 0) end as bounce_rate,
    is_mature,
    meets_min_sample,
    withheld_reason
from reasoned
