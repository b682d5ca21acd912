-- One row per event of a person that is needed to the second: sign-ups, invites, requests to be left alone, and the steps of activations.
-- What the models cannot read (another schema version) is none of them, but for requests to be left alone: those hold however they came.
-- New ones are added, as in int_people__known_days; a step that a program names for the first time is read from all of history.

{% set owed = owed_events(this) %}
{% set unread = unread_steps(this) %}
{% set refusals = ["'Unsubscribed'", "'Email Marked as Spam'", "'Email Bounced'"] %}
{% set lasting = ["'Signed Up'", "'Invite Sent'"] + refusals %}

{{ config(
    materialized='incremental',
    on_schema_change='fail',
    pre_hook=[
        "{{ without_days(this, 'activity_on', days_made_anew(this)) }}",
        "{{ without_rows(this, steps_not_needed(['Signed Up', 'Invite Sent', 'Unsubscribed', 'Email Marked as Spam', 'Email Bounced']), 'activity_on') }}",
    ],
    **replaced_by('activity_on'),
) }}

with

learned as (
    select * from {{ ref('stg_events__learned') }}
),

needed as (
    select
        *,
        cast(occurred_at as date) as activity_on
    from {{ ref('stg_events__events') }}
    where
        person_id is not null
        and coalesce(bot_reason, 'none') <> 'test traffic'
        and (is_known_version or {{ is_either('event_name', refusals) }})
        and (event_name <> 'Signed Up' or type = 'track')
        and {{ is_either('event_name', lasting + named_steps()) }}
        {{ and_is_owed(owed) }}
    {% if unread %}
        union all
        select
            *,
            cast(occurred_at as date) as activity_on
        from {{ ref('stg_events__events') }}
        where
            person_id is not null
            and coalesce(bot_reason, 'none') <> 'test traffic'
            and is_known_version
            and event_name in ({{ unread | join(', ') }})
            {{ and_is_kept(owed) }}
    {% endif %}
)

select
    needed.row_key as moment_key,
    needed.person_id as user_id,
    needed.event_name,
    needed.activity_on,
    needed.occurred_at,
    needed.settled_at,
    case when needed.event_name = 'Signed Up' then {{ json_text('needed.properties', '$.invited_by') }} end as invited_by,
    needed.is_human,
    needed.is_activity,
    -- A case, because `and` would look into the properties of every event.
    case
        when needed.event_name in ('Unsubscribed', 'Email Marked as Spam') then true
        when needed.event_name = 'Email Bounced'
            then
                coalesce(
                    lower({{ json_text('needed.properties', '$.bounce_type') }}) in ('permanent', 'hard')
                    or {{ json_text('needed.properties', '$.reason') }} in ('invalid', 'bounced', 'spam', 'unsubscribed'), false
                )
        else false
    end as is_refusal,
    learned.built_through,
    learned.received_events
from needed
cross join learned
{{ laid_out_by('needed.activity_on') }}
