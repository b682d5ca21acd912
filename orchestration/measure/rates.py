"""Exchange rates: judges each told rate and appends what is new to ``raw.exchange_rates``."""

import datetime as dt

import duckdb

from orchestration.errors import Refusal
from orchestration.measure.currencies import is_currency
from orchestration.measure.mapping import RatesMapping
from orchestration.measure.targets import Targets

_KEY = "currency, reporting_currency, valid_from"


def stage(connection: duckdb.DuckDBPyConnection, mapping: RatesMapping, targets: Targets, subject: str) -> None:
    """Fills the temporary table ``checked``: the columns of the rates and ``reason``, null where accepted.

    Raises:
        Refusal: if the mapping leaves a needed target open, or the rates are not into the one reporting currency.
    """
    targets.require("currency", "reporting_currency", "valid_from", "rate")
    connection.execute(
        f"""create or replace temp table checked as
        with mapped as (
            select
                __row,
                upper({targets.key("currency")}) as currency,
                upper({targets.key("reporting_currency")}) as reporting_currency,
                {targets.text("valid_from")} as day_text,
                {targets.day("valid_from")} as valid_from,
                {targets.key("rate")} as rate_text,
                {targets.number("rate")} as told
            from source_rows
        ),
        turned as (
            select * exclude (told), told, {"case when told <> 0 then 1 / told end" if mapping.inverse else "told"} as rate
            from mapped
        )
        select * exclude (day_text, rate_text, told), {_reason()} as reason from turned"""
    )
    _refuse_repeats(connection)
    _require_one_currency(connection, mapping, subject)


def append(connection: duckdb.DuckDBPyConnection, now: dt.datetime) -> int:
    """Appends the accepted rates that are not what was told last already; returns how many there are."""
    return int(
        connection.execute(
            f"""insert into raw.exchange_rates by name
            with known as (
                select {_KEY}, arg_max(rate, (recorded_at, rate)) as rate from raw.exchange_rates group by {_KEY}
            )
            select {_KEY}, rate, $now as recorded_at
            from checked anti join known using ({_KEY}, rate)
            where reason is null
            order by __row""",
            {"now": now},
        ).fetchall()[0][0]
    )


def _reason() -> str:
    rules = []
    for name in ("currency", "reporting_currency"):
        rules += [
            f"when {name} is null then '{name} is missing'",
            f"when not {is_currency(name)} then '{name} is no code of ISO 4217'",
        ]
    rules += [
        "when day_text is null then 'valid_from is missing'",
        "when valid_from is null then 'valid_from is no day such as 2026-11-01'",
        "when rate_text is null then 'rate is missing'",
        "when told is null or not isfinite(told) then 'rate is not a finite number'",
        "when told <= 0 then 'rate is not above 0'",
        "when currency = reporting_currency and rate <> 1 then 'the rate of a currency into itself is not 1'",
    ]
    return "case " + " ".join(rules) + " end"


def _refuse_repeats(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        f"""update checked set reason = case when later.is_same
                then 'an earlier row says the same' else 'an earlier row gives another rate from that day on' end
        from (
            select __row, row_number() over same_day as place, rate = first_value(rate) over same_day as is_same
            from checked where reason is null
            window same_day as (partition by {_KEY} order by __row)
        ) as later
        where checked.__row = later.__row and later.place > 1"""
    )


def _require_one_currency(connection: duckdb.DuckDBPyConnection, mapping: RatesMapping, subject: str) -> None:
    query = "select distinct reporting_currency from checked where reason is null order by 1"
    told = [row[0] for row in connection.execute(query).fetchall()]
    if len(told) > 1:
        raise Refusal(
            subject,
            f"tells rates into {' and '.join(told)}",
            "Give rates into one currency, into which all amounts are turned.",
        )
    query = "select arg_max(reporting_currency, recorded_at) from raw.exchange_rates"
    known = connection.execute(query).fetchall()[0][0]
    if told and known and told[0] != known and not mapping.change_reporting_currency:
        raise Refusal(
            subject,
            f"tells rates into {told[0]}, and the warehouse turns amounts into {known}",
            f"Give rates into {known}, or add `--set change_reporting_currency=true` to turn everything into {told[0]}.",
        )
