"""Platforms' daily figures in a file: judges each row, and restates whole days of an account and level or none.

A day with a row that cannot be taken keeps what was known of it, since its sums would be too small. A refused row that does not say
its day (a line of totals) may belong to any; then every day that it may belong to keeps what was known.
"""

import datetime as dt
from dataclasses import fields
from typing import Any

import duckdb

from orchestration.measure.aggregates import DailyRow, Window, append_windows
from orchestration.measure.currencies import is_currency
from orchestration.measure.mapping import ChannelDailyMapping, Constant
from orchestration.measure.reading import identifier, literal
from orchestration.measure.targets import Targets, as_text

_WINDOW = ("provider", "account_id", "level", "day")
_GRAIN = ("campaign_id", "ad_set_id", "ad_id", "breakdown", "attribution")
_FIGURES = ("impressions", "clicks", "cost", "currency", "conversions_claimed", "conversion_value_claimed")
_ROW = tuple(field.name for field in fields(DailyRow))
_LEVELS = ("account", "campaign", "ad_set", "ad")
_FIRST = dt.date(2000, 1, 1)
_COPY = "an earlier row says the same"


def stage(
    connection: duckdb.DuckDBPyConnection, mapping: ChannelDailyMapping, targets: Targets, now: dt.datetime
) -> None:
    """Fills the temporary tables ``checked``, as the other kinds do, and ``windows``, the days that are told whole.

    Raises:
        Refusal: if the mapping leaves a needed target open.
    """
    targets.require("provider", "account_id", "level", "day")
    if not any(targets.has(name) for name in _FIGURES):
        targets.require("impressions")
    if targets.has("cost"):
        targets.require("currency")
    _judge(connection, mapping, targets, now)
    _refuse_repeats(connection)
    _find_windows(connection, mapping, now)


def append(connection: duckdb.DuckDBPyConnection, now: dt.datetime) -> int:
    """Restates the days whose figures are not today's truth already; returns the rows of these days."""
    key, news = ", ".join(_WINDOW), "(from windows where not is_known)"
    found: dict[tuple[Any, ...], list[DailyRow]] = {
        row: [] for row in connection.execute(f"select {key} from {news} order by all").fetchall()
    }
    query = f"""select {key}, {", ".join(_ROW)} from checked semi join {news} using ({key})
        where reason is null order by __row"""
    for row in connection.execute(query).fetchall():
        found[row[: len(_WINDOW)]].append(DailyRow(*row[len(_WINDOW) :]))
    told = [Window(provider, account, level, day, rows) for (provider, account, level, day), rows in found.items()]
    append_windows(connection, told, now)
    return sum(map(len, found.values()))


def restates(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether any staged day differs from what is known of it."""
    return bool(connection.execute("select count(*) from windows where not is_known").fetchall()[0][0])


def _judge(
    connection: duckdb.DuckDBPyConnection, mapping: ChannelDailyMapping, targets: Targets, now: dt.datetime
) -> None:
    cost = f"try_cast({targets.key('cost')} as decimal(38, 6))" + (" / 1000000" if mapping.cost_in_micros else "")
    # A platform without ad sets has one in each campaign.
    ad_set = "ad_set_id" if targets.has("ad_set_id") else "campaign_id"
    names = ", ".join(f"{targets.key(name)} as {name}" for name in ("account_id", "campaign_id", "ad_set_id", "ad_id"))
    counts = ("impressions", "clicks")
    claims = ("conversions_claimed", "conversion_value_claimed")
    numbers = ", ".join(f"{targets.number(name)} as {name}_read" for name in (*counts, *claims))
    texts = ", ".join(f"{targets.key(name)} as {name}_text" for name in (*counts, "cost", *claims))
    connection.execute(
        f"""create or replace temp table checked as
        with mapped as (
            select
                __row,
                lower({targets.key("provider")}) as provider,
                lower({targets.key("level")}) as level,
                {targets.text("day")} as day_text,
                {targets.day("day")} as day,
                {names},
                {targets.text("campaign_name")} as campaign_name,
                {_breakdown(mapping, targets)} as breakdown,
                coalesce({targets.text("attribution")}, '') as attribution,
                upper({targets.key("currency")}) as currency,
                try_cast({cost} as decimal(18, 6)) as cost,
                {numbers},
                {texts}
            from source_rows
        ),
        placed as (
            select * replace (
                case when level <> 'account' then campaign_id end as campaign_id,
                case when level in ('ad_set', 'ad') then {ad_set} end as ad_set_id,
                case when level = 'ad' then ad_id end as ad_id
            ) from mapped
        )
        select
            __row, {", ".join((*_WINDOW, "campaign_id", "campaign_name", *_GRAIN[1:]))}, cost, currency,
            {", ".join(f"try_cast({name}_read as bigint) as {name}" for name in counts)},
            {", ".join(f"{name}_read as {name}" for name in claims)},
            {_reason(mapping)} as reason
        from placed""",
        {"last": now.date() + dt.timedelta(days=1), "first": _FIRST},
    )


def _breakdown(mapping: ChannelDailyMapping, targets: Targets) -> str:
    """JSON text of the columns that split an entity's day, '' where there are none."""
    source = mapping.breakdown
    if source is None or isinstance(source, Constant):
        return f"coalesce({targets.text('breakdown')}, '')"
    columns = [source] if isinstance(source, str) else source
    fields = ", ".join(f"{literal(name)}, {as_text(identifier(name), 'VARCHAR')}" for name in columns)
    whole = f"cast(json_object({fields}) as varchar)"
    if isinstance(source, str):
        text = targets.text("breakdown")
        return f"""case when {text} is null then ''
            when case when json_valid({text}) then json_type({text}) = 'OBJECT' end then {text} else {whole} end"""
    return whole


def _reason(mapping: ChannelDailyMapping) -> str:
    rules = [
        "when provider is null then 'provider is missing'",
        "when account_id is null then 'account_id is missing'",
        "when level is null then 'level is missing'",
        f"when level not in {_LEVELS} then 'level is none of {', '.join(_LEVELS)}'",
        "when day_text is null then 'day is missing'",
        "when day is null then 'day is no day such as 2026-11-01'",
        "when day < $first then 'day is before the year 2000'",
        "when day > $last then 'day is in the future'",
        "when level <> 'account' and campaign_id is null then 'campaign_id is missing'",
        "when level in ('ad_set', 'ad') and ad_set_id is null then 'ad_set_id is missing'",
        "when level = 'ad' and ad_id is null then 'ad_id is missing'",
    ]
    if mapping.first_day and mapping.last_day:
        span = f"date '{mapping.first_day}' and date '{mapping.last_day}'"
        rules += [f"when day not between {span} then 'day is not between first_day and last_day'"]
    for name in ("impressions", "clicks"):
        rules += [
            f"when {name}_text is not null and not coalesce(isfinite({name}_read), false) then '{name} is not a number'",
            f"when {name}_read < 0 then '{name} is negative'",
            f"when {name}_read <> trunc({name}_read) then '{name} is not a whole number'",
            f"when {name}_text is not null and try_cast({name}_read as bigint) is null then '{name} is too large'",
        ]
    rules += [
        "when cost_text is not null and cost is null then 'cost is not an amount'",
        "when cost < 0 then 'cost is negative'",
        "when cost is not null and currency is null then 'cost is told without a currency'",
        f"when currency is not null and not {is_currency('currency')} then 'currency is no code of ISO 4217'",
    ]
    for name in ("conversions_claimed", "conversion_value_claimed"):
        rules += [
            f"when {name}_text is not null and not coalesce(isfinite({name}_read), false) then '{name} is not a number'"
        ]
    rules += ["when conversions_claimed_read < 0 then 'conversions_claimed is negative'"]
    return "case " + " ".join(rules) + " end"


def _refuse_repeats(connection: duckdb.DuckDBPyConnection) -> None:
    """A row told twice counts once; two rows of one grain that differ leave the day open."""
    connection.execute(
        f"""update checked set reason = case when later.is_same then '{_COPY}'
                else 'an earlier row of the day is of the same campaign, ad set, ad, breakdown and attribution' end
        from (
            select __row, row_number() over same_grain as place,
                ({", ".join(_FIGURES)}) is not distinct from first_value(({", ".join(_FIGURES)})) over same_grain as is_same
            from checked where reason is null
            window same_grain as (partition by {", ".join((*_WINDOW, *_GRAIN))} order by __row)
        ) as later
        where checked.__row = later.__row and later.place > 1"""
    )


def _find_windows(connection: duckdb.DuckDBPyConnection, mapping: ChannelDailyMapping, now: dt.datetime) -> None:
    """Fills ``windows``, and refuses the rows of days that are not told whole or were read again since."""
    key = ", ".join(_WINDOW)
    days = "select cast(null as date) as day where false"
    if mapping.first_day and mapping.last_day:
        span = f"date '{mapping.first_day}', date '{mapping.last_day}', interval 1 day"
        days = f"select cast(unnest(generate_series({span})) as date) as day"
    may_be_of = " and ".join(f"coalesce(culprits.{name} = asked.{name}, culprits.{name} is null)" for name in _WINDOW)
    connection.execute(
        f"""create or replace temp table asked as
        with refused as (
            select provider, account_id, case when level in {_LEVELS} then level end as level, day, __row, reason
            from checked where reason <> '{_COPY}'
            union all
            select null, null, null, null, __row, reason from unreadable
        ),
        culprits as (select {key}, min(__row) as culprit, arg_min(reason, __row) as why from refused group by {key}),
        told as (select distinct {key} from checked where reason is null),
        asked as (
            select {key} from told
            union select provider, account_id, level, days.day from told cross join ({days}) as days
        )
        select {", ".join(f"asked.{name}" for name in _WINDOW)}, min(culprit) as culprit, arg_min(why, culprit) as why
        from asked left join culprits on {may_be_of}
        group by {", ".join(f"asked.{name}" for name in _WINDOW)}"""
    )
    figures = ", ".join(f"{name} := {name}" for name in _ROW)
    text = f"cast(to_json(struct_pack({figures})) as varchar)"
    connection.execute(
        f"""create or replace temp table windows as
        with told as (
            select {key}, string_agg({text}, chr(10) order by {text}) as figures from checked where reason is null group by {key}
        ),
        latest as (
            select window_id, {key}, extracted_at from raw.channel_windows
            qualify row_number() over (partition by {key} order by extracted_at desc, window_id desc) = 1
        ),
        truth as (
            select window_id, string_agg({text}, chr(10) order by {text}) as figures
            from raw.channel_daily semi join latest using (window_id) group by window_id
        ),
        compared as (
            select {key}, culprit, extracted_at,
                extracted_at is not null and told.figures is not distinct from truth.figures as is_known
            from asked left join told using ({key}) left join latest using ({key}) left join truth using (window_id)
        )
        select {key}, is_known from compared
        where culprit is null and (is_known or extracted_at is null or extracted_at < $now)""",
        {"now": now},
    )
    connection.execute(
        f"""update checked set reason = coalesce(
            'the day keeps what was known: row ' || left_open.culprit || ' may belong to it (' || left_open.why || ')',
            'the day was read again since')
        from (from asked anti join windows using ({key})) as left_open
        where {" and ".join(f"checked.{name} = left_open.{name}" for name in _WINDOW)} and checked.reason is null"""
    )
