-- One row per call that the event receiver took, batches fanned out, in the columns of raw.events and with a reason where it is no event.
-- Times: the device's clock is corrected by what it said when it sent, timestamp = received - (sent - original).

with

inbox as (
    select * from {{ source('raw', 'inbox') }}
    where provider = 'segment'
),

called as (
    select
        *,
        {{ json_at('headers', ['call']) }} as call
    from inbox
),

listed as (
    select
        *,
        case when call in ('batch', 'import') then {{ json_items(json_part('body', ['batch'])) }} else {{ one_item('body') }} end as items
    from called
),

items as (
    select
        inbox_id,
        source,
        call,
        received_at,
        ingested_at,
        {{ json_part('body', ['context']) }} as shared_context,
        {{ json_at('body', ['sentAt']) }} as shared_sent_at,
        {{ each_of('items', 'item', 'item_number') }}
    from listed
),

fields as (
    select
        *,
        case when call in ('batch', 'import') then {{ json_at('item', ['type']) }} else call end as type,
        {{ json_at('item', ['event']) }} as event,
        {{ json_at('item', ['messageId']) }} as message_id,
        nullif({{ json_at('item', ['userId']) }}, '') as user_id,
        nullif({{ json_at('item', ['anonymousId']) }}, '') as anonymous_id,
        {{ json_at('item', ['previousId']) }} as previous_id,
        {{ json_part('item', ['properties']) }} as told_properties,
        {{ json_part('item', ['traits']) }} as traits,
        {{ json_merged('shared_context', json_part('item', ['context'])) }} as context,
        coalesce({{ json_at('item', ['originalTimestamp']) }}, {{ json_at('item', ['timestamp']) }}) as told_original,
        coalesce({{ json_at('item', ['sentAt']) }}, shared_sent_at) as told_sent,
        coalesce(
            {{ json_at('item', ['properties', 'revenue']) }},
            {{ json_at('item', ['properties', 'total']) }},
            {{ json_at('item', ['properties', 'value']) }}
        ) as told_value,
        {{ json_at('item', ['properties', 'currency']) }} as currency,
        {% for name in ['send_id', 'experiment_id', 'creative_id'] %}
            {{ carried_id('item', ['properties'], name) }} as {{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from items
),

timed as (
    select
        *,
        {{ instant_of_text('told_original') }} as original_at,
        {{ instant_of_text('told_sent') }} as sent_at,
        {{ json_at('context', ['userAgent', 'marks']) }} as agent_marks
    from fields
),

read as (
    select
        *,
        -- Libraries give every event an id. Without one, what was said and when it was sent stand for it; said without any time, the same
        -- words may well have been meant twice, and each delivery is an event of its own.
        coalesce(
            message_id,
            case
                when told_original is not null or told_sent is not null
                    then {{ digest_of(['cast(item as string)', 'told_sent']) }}
            end,
            {{ digest_of(['inbox_id', 'cast(item_number as string)']) }}
        ) as event_id,
        case when type = 'track' then event end as event_name,
        -- An import tells of the past and its clock is believed.
        case
            when original_at is not null and sent_at is not null and call <> 'import' then received_at - (sent_at - original_at)
            else original_at
        end as occurred_at,
        {{ channel_said_by('event', "'web'") }} as channel,
        case
            when type in ('identify', 'group') then coalesce(traits, told_properties)
            when type = 'alias' then {{ json_field('previousId', 'previous_id') }}
            else told_properties
        end as properties,
        try_cast(told_value as decimal(18, 4)) as value,
        case
            when item is null then 'the batch holds no events'
            when not {{ is_json_object('item') }} then 'the event is no object'
            when type is null then 'the event has no type'
            when type not in ('track', 'identify', 'page', 'screen', 'group', 'alias')
                then 'type is none of track, identify, page, screen, group, alias'
            when type = 'track' and coalesce(event, '') = '' then 'the event has no name'
            when user_id is null and anonymous_id is null then 'there is neither a user nor an anonymous id'
            when told_original is not null and original_at is null then 'its time is not a time'
            when told_sent is not null and sent_at is null then 'sentAt is not a time'
            when told_properties is not null and not {{ is_json_object('told_properties') }} and {{ json_at('item', ['properties']) }} is not null
                then 'properties is no object'
            when length(cast(item as string)) > {{ policy('segment_event_bytes') }} then 'the event is too large'
        end as unread_reason
    from timed
)

select
    inbox_id,
    cast(item_number as integer) as item_number,
    event_id,
    source,
    type,
    event_name,
    user_id,
    anonymous_id,
    occurred_at,
    original_at,
    sent_at,
    received_at,
    ingested_at,
    experiment_id,
    creative_id,
    send_id,
    channel,
    agent_marks,
    value,
    currency,
    properties,
    context,
    unread_reason
from read
