"""Which of the events at hand are there already: insert if absent on (source, event_id).

The events at hand are compared exactly with each other and with what was ingested lately; how far back is a policy
(``intake_dedup_days``). An older copy gets in and is set aside by staging, which holds the identity for all of history.
"""

import duckdb

from orchestration.measure.policy import policy_value


def mark_duplicates(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    """Fills ``duplicates (duplicate)`` with the rowids of ``table``'s accepted events that are not to be appended.

    Keys are digested first, and only events whose digests meet are compared; to sort the digests is faster than to group them.

    Args:
        table: Temporary table with event_id, source, received_at and reason (null where accepted).

    Returns:
        How many there are.
    """
    connection.execute(
        f"""create or replace temp table keys as
        select rowid as place, hash(source, event_id) as key from {table} where reason is null"""
    )
    connection.execute(
        """create or replace temp table recent as
        select distinct source, event_id
        from raw.events
        where ingested_at >= (select max(ingested_at) from raw.events) - to_days(cast($days as integer))
            and hash(source, event_id) in (select key from keys)""",
        {"days": policy_value("intake_dedup_days")},
    )
    connection.execute(
        f"""create or replace temp table duplicates as
        with met as (
            select key from (select key, key = lag(key) over (order by key) as is_met from keys) where is_met
            union select hash(source, event_id) from recent
        ),
        suspects as (
            select place, source, event_id, received_at
            from keys semi join met using (key) join {table} as events on events.rowid = keys.place
        ),
        ordered as (
            select place, source, event_id,
                row_number() over (partition by source, event_id order by received_at, place) as arrival
            from suspects
        )
        select place as duplicate from ordered
        where arrival > 1 or (source, event_id) in (select (source, event_id) from recent)"""
    )
    return int(connection.execute("select count(*) from duplicates").fetchall()[0][0])
