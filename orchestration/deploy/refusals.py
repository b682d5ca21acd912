"""Words of refusal that no build knows yet: unsubscriptions, complaints, permanent bounces and consent taken back.

A build may be days away; who asks to be left alone is left alone from the next message on. What came is read where it lies: events
in ``raw``, deliveries of providers through the parsers' own views, which show ``raw.inbox`` as it is now. No provider's words are
read here a second time: every view of the parsers' shape is asked. What is still in the spool is moved before (``despatch.py``).

How far the build knows is what ``intermediate.int_people`` says of itself. An opened cycle says nothing: its build may have died.
"""

import datetime as dt
from collections.abc import Collection

import duckdb

from orchestration.errors import Refusal

# Of what came at about the time of the last build it is not certain whether it was in it.
_MARGIN = dt.timedelta(days=1)
_SHAPE = ("event_type", "recipient", "send_id", "creative_id", "is_permanent", "occurred_at", "unread_reason")
_EVENTS = """
    select event_name, type, user_id, creative_id, send_id, properties, context, ingested_at,
        coalesce(occurred_at, received_at - (sent_at - original_at), received_at) as said_at
    from {table}
    where ingested_at > (select since from known) and (event_name in ('Unsubscribed', 'Email Marked as Spam', 'Email Bounced')
        or type = 'identify')
"""
_MESSAGES = """
    select event_type, recipient, creative_id, send_id, is_permanent, ingested_at, coalesce(occurred_at, received_at) as said_at
    from {table}
    where unread_reason is null and ingested_at > (select since from known)
"""
# As int_people__moments and stg_events__identities read them.
_WORDS = """
    with known as (
        select coalesce(max(built_through), timestamp '1970-01-01') as through,
            coalesce(max(built_through) - $margin, timestamp '1970-01-01') as since
        from intermediate.int_people
    ),
    events as ({events}),
    messages as ({messages}),
    told as (
        select user_id, false as is_message, creative_id, send_id, event_name = 'Email Marked as Spam' as is_complaint, ingested_at,
            said_at,
            case
                when event_name in ('Unsubscribed', 'Email Marked as Spam') then false
                when event_name = 'Email Bounced' and (
                    lower(properties ->> '$.bounce_type') in ('permanent', 'hard')
                    or (properties ->> '$.reason') in ('invalid', 'bounced', 'spam', 'unsubscribed')
                ) then false
                when type = 'identify' then case
                    lower(coalesce(properties ->> '$.consent', properties ->> '$.traits.consent', context ->> '$.traits.consent'))
                    when 'true' then true when 'yes' then true when '1' then true
                    when 'false' then false when 'no' then false when '0' then false
                end
            end as is_yes
        from events
        union all
        select recipient, true, creative_id, send_id, event_type = 'complained', ingested_at, said_at,
            case
                when event_type in ('unsubscribed', 'complained') or (event_type = 'bounced' and is_permanent) then false
                when event_type = 'subscribed' then true
            end
        from messages
    ),
    -- Who got a message is known better than whom its provider names.
    named as (
        select coalesce(case when told.is_message then sends.user_id end, told.user_id, sends.user_id) as user_id,
            coalesce(sends.creative_id, told.creative_id) as creative_id, told.is_yes, told.is_complaint, told.said_at,
            told.ingested_at > (select through from known) as is_new
        from told
        left join ledger.sends as sends on told.send_id = sends.send_id
        where told.is_yes is not null
    ),
    words as (
        select named.* replace (coalesce(aliases.person_id, named.user_id) as user_id)
        from named left join staging.stg_events__aliases as aliases on named.user_id = aliases.user_id
    )
"""


def refused_in(connection: duckdb.DuckDBPyConnection, user_ids: Collection[str]) -> set[str]:
    """Of these people, those who asked to be left alone and of whom the build may not know it.

    A word that is newer than the build counts whatever was said after it. One of about its time counts unless the person came back
    since: it is honoured twice rather than not at all.

    Raises:
        Refusal: if the models were never built.
    """
    query = """
        select user_id from words
        where user_id in (select unnest($user_ids))
        group by user_id
        having bool_or(is_new and not is_yes) or not max_by(is_yes, (said_at, not is_yes))
    """
    return {row[0] for row in _asked(connection, query, {"user_ids": list(user_ids)})}


def require_known_complaints(connection: duckdb.DuckDBPyConnection) -> None:
    """Refuses to send while a creative has complaints that would be over the limit and that no build has held against it.

    Raises:
        Refusal: if so many came since the build, or the models were never built.
    """
    query = """
        , complaints as (
            select creative_id, count(distinct user_id) as people from words where is_complaint and is_new group by creative_id
        ),
        reached as (
            select sends.creative_id, count(distinct sends.send_id) as people
            from ledger.send_events as events inner join ledger.sends as sends on events.send_id = sends.send_id
            where events.state = 'accepted'
            group by sends.creative_id
        )
        select coalesce(complaints.creative_id, 'a creative that they do not name'), complaints.people
        from complaints left join reached on complaints.creative_id = reached.creative_id
        where complaints.people >= (select value from policy.policy where name = 'complaint_stop_people')
            and complaints.people > coalesce(reached.people, 0)
                * (select value from policy.policy where name = 'complaint_rate_stop')
        order by complaints.people desc, 1
        limit 1
    """
    for creative, people in _asked(connection, query, {}):
        raise Refusal(
            "complaints",
            f"{people} people called {creative} spam since the last build, and no limit knows of it",
            "`loop build` reads them; then send again.",
        )


def _asked(connection: duckdb.DuckDBPyConnection, query: str, parameters: dict[str, object]) -> list[tuple[str, int]]:
    """Rows of a query on ``words``."""
    shaped = connection.execute(
        """
        select table_name from information_schema.columns
        where table_schema = 'staging' and column_name in (select unnest($shape))
        group by table_name having count(*) = len($shape) order by table_name
        """,
        {"shape": list(_SHAPE)},
    ).fetchall()
    adapted = connection.execute(
        "select 1 from information_schema.tables where table_schema = 'staging' and table_name = 'stg_events__adapted'"
    ).fetchall()
    tables = ["raw.events", "raw.events_in_place", *(["staging.stg_events__adapted"] if adapted else [])]
    events = [_EVENTS.format(table=table) for table in tables]
    events.append(_EVENTS.format(table="staging.stg_segment__events") + " and unread_reason is null")
    messages = [_MESSAGES.format(table=f"staging.{name}") for (name,) in shaped]
    if not messages:
        raise _never_built()
    words = _WORDS.format(events=" union all ".join(events), messages=" union all ".join(messages))
    try:
        return connection.execute(words + query, {"margin": _MARGIN, **parameters}).fetchall()
    except duckdb.CatalogException as error:
        raise _never_built() from error


def _never_built() -> Refusal:
    return Refusal("consent", "is asked of models that were never built", "`loop build` builds them.")
