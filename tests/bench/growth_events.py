"""Events for the growth benchmark, and what the same marts cost without a framework: one script in SQL, one in pandas."""

import time
from dataclasses import dataclass
from pathlib import Path

import duckdb

FIRST_DAY = "2026-01-01"


@dataclass(frozen=True, slots=True)
class Files:
    """What arrives: a history of whole days, the day after it, and a day that comes a month late."""

    history: Path
    new_day: Path
    late_day: Path


def generate(folder: Path, events: int, days: int) -> Files:
    """Writes events of skewed, decaying activity, the same for the same numbers.

    Columns: event_id, source, user_id, event, occurred_at, received_at, properties (JSON text). 0.5 % of the events
    arrive up to three days late, 0.2 % arrive twice, and there is a person for every 40 of them. What would happen after
    the last day happens on it, so that day is no day like others: it is left out of the history, which is made a little
    larger to hold the asked number all the same.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = Files(*(folder / f"{name}.parquet" for name in ("history", "new_day", "late_day")))
    everything, end = folder / "everything.parquet", f"timestamp '{FIRST_DAY}' + to_days({days})"
    _draw(everything, int(events * (1 + 14 / days)), days + 2)
    next_day = f"received_at >= {end} and received_at < {end} + to_days(1)"
    late = f"occurred_at - to_days({1 + min(30, days // 2)}) as occurred_at"
    with duckdb.connect() as connection:
        for path, query in (
            (files.history, f"select * from '{everything}' where received_at < {end}"),
            (files.new_day, f"select * from '{everything}' where {next_day}"),
            (
                files.late_day,
                f"select * replace ({late}) from '{everything}' where occurred_at >= {end} + to_days(1)"
                f" and received_at < {end} + to_days(3) limit (select count(*) from '{files.new_day}')",
            ),
        ):
            connection.execute(f"copy ({query}) to '{path}' (format parquet, row_group_size 500000)")
    everything.unlink()
    return files


def _draw(path: Path, events: int, days: int) -> None:
    people = max(events // 40, 1)
    with duckdb.connect() as connection:
        connection.execute("set preserve_insertion_order = false")
        connection.execute(f"""
            copy (
                with draws as (
                    select hash(range) as a, hash(range * 7 + 1) as b, hash(range * 13 + 5) as c from range({events})
                ),
                people as (
                    select *, cast(power((a % 1000000) / 1e6, 1.5) * {people} as bigint) as person from draws
                ),
                lives as (
                    select *, cast(hash(person * 31 + 7) % {days} as integer) as first_day,
                        (hash(person * 17 + 3) % 1000) / 1e3 as loyalty
                    from people
                ),
                timed as (
                    select *,
                        timestamp '{FIRST_DAY}' + to_seconds(cast(a % 86400 as bigint)) + to_days(
                            first_day + cast(
                                least({days - 1} - first_day, floor(-ln(1 - (c % 100000) / 100001.0) * 20 * loyalty)) as integer
                            )
                        ) as occurred_at
                    from lives
                ),
                told as (
                    select
                        printf('%016x%016x', a, b) as event_id, 'web' as source, printf('u%010d', person) as user_id,
                        case when b % 100 < 70 then 'Page Viewed' when b % 100 < 85 then 'Feature Used'
                            when b % 100 < 92 then 'Email Link Clicked' when b % 100 < 95 then 'Invite Sent'
                            when b % 100 < 98 then 'Order Completed' else 'Signed Up' end as event,
                        occurred_at,
                        occurred_at + to_seconds(cast(case when c % 1000 < 5 then a % 259200 else a % 60 end as bigint)) as received_at,
                        '{{"value":' || (a % 100) || '}}' as properties,
                        b % 1000 < 2 as is_repeated
                    from timed
                )
                select * exclude (is_repeated) from told
                union all
                select * exclude (is_repeated) from told where is_repeated
            ) to '{path}' (format parquet, row_group_size 500000)
        """)


SCRIPT = {
    "load": "create or replace table events as select * from '{path}'",
    "duplicates": "create or replace table duplicates as select event_id from events group by 1 having count(*) > 1",
    "user_day": """
        create or replace table user_day as
        with once as (
            select * from events where event_id not in (select event_id from duplicates)
            union all
            select distinct on (event_id) * from events where event_id in (select event_id from duplicates)
        )
        select user_id, occurred_at::date as day, count(*) as events, min(occurred_at) as first_at,
            count(*) filter (where event = 'Feature Used') > 0 as used_feature,
            count(*) filter (where event = 'Invite Sent') as invites, count(*) filter (where event = 'Order Completed') as orders
        from once group by all""",
    "users": """
        create or replace table users as
        select user_id, min(day) as first_day, min(first_at) as first_at from user_day group by 1""",
    "retention": """
        create or replace table retention as
        select date_trunc('week', first_day) as cohort, (day - first_day) // 7 as age, count(distinct user_id) as users
        from user_day join users using (user_id) group by all""",
    "activation": """
        create or replace table activation as
        select date_trunc('week', first_day) as cohort, count(distinct user_id) as users,
            count(distinct user_id) filter (where used_feature and day - first_day < 7) as activated
        from user_day join users using (user_id) group by 1""",
    "weekly_actives": """
        create or replace table weekly_actives as
        select day + ahead::int as day, count(distinct user_id) as users from user_day, range(7) as later(ahead) group by 1""",
    "referral": """
        create or replace table referral as
        select date_trunc('week', first_day) as cohort, count(distinct user_id) as users, sum(invites) as invites,
            count(distinct user_id) filter (where invites > 0) as inviters
        from user_day join users using (user_id) group by 1""",
}


def by_hand(path: Path) -> dict[str, float]:
    """Seconds per step of a script by hand, in 8 GB of memory: no incremental state, no labels, no intervals, nothing kept."""
    seconds = {}
    with duckdb.connect() as connection:
        connection.execute("set threads = 2; set memory_limit = '8GB'; set preserve_insertion_order = false")
        for step, statement in SCRIPT.items():
            begin = time.perf_counter()
            connection.execute(statement.format(path=path))
            seconds[step] = time.perf_counter() - begin
    return seconds


def in_pandas(path: Path) -> dict[str, float]:
    """Seconds per step of the same script in pandas, statement by statement; what it joins three times is joined once."""
    import pandas as pd

    seconds, begin = {}, time.perf_counter()

    def lap(step: str) -> None:
        nonlocal begin
        seconds[step] = time.perf_counter() - begin
        begin = time.perf_counter()

    events = pd.read_parquet(path)
    lap("load")
    events = events.drop_duplicates("event_id")
    lap("duplicates")
    names = {"used_feature": "Feature Used", "invites": "Invite Sent", "orders": "Order Completed"}
    events = events.assign(
        day=events.occurred_at.dt.floor("D"), **{column: events.event == name for column, name in names.items()}
    )
    user_day = events.groupby(["user_id", "day"], as_index=False, sort=False).agg(
        events=("event", "size"),
        first_at=("occurred_at", "min"),
        used_feature=("used_feature", "any"),
        invites=("invites", "sum"),
        orders=("orders", "sum"),
    )
    lap("user_day")
    users = user_day.groupby("user_id", as_index=False, sort=False).agg(
        first_day=("day", "min"), first_at=("first_at", "min")
    )
    lap("users")
    lived = user_day.merge(users[["user_id", "first_day"]], on="user_id")
    lived["cohort"] = lived.first_day - pd.to_timedelta(lived.first_day.dt.weekday, unit="D")
    lived["age"] = (lived.day - lived.first_day).dt.days
    lived.assign(age=lived.age // 7).groupby(["cohort", "age"]).user_id.nunique()
    lap("retention")
    lived.groupby("cohort").user_id.nunique()
    lived[lived.used_feature & (lived.age < 7)].groupby("cohort").user_id.nunique()
    lap("activation")
    ahead = [user_day[["user_id"]].assign(day=user_day.day + pd.Timedelta(days=days)) for days in range(7)]
    pd.concat(ahead).groupby("day").user_id.nunique()
    lap("weekly_actives")
    lived.groupby("cohort").invites.sum()
    lived[lived.invites > 0].groupby("cohort").user_id.nunique()
    lap("referral")
    return seconds
