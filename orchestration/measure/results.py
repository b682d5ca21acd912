"""Past experiments as sums: judges each increment and appends it to ``raw.results``."""

import datetime as dt

import duckdb
import pandas as pd

from orchestration.measure import cadences, increments
from orchestration.measure.mapping import ResultsMapping
from orchestration.measure.targets import Targets
from orchestration.measure.texts import creative_id_of, folded_tags

_KEY = ", ".join(increments.KEY)
# Sums of a million rounded terms may break Cauchy-Schwarz by this much without being wrong.
_ROUNDING = "1e-9"


def stage(connection: duckdb.DuckDBPyConnection, mapping: ResultsMapping, targets: Targets, now: dt.datetime) -> None:
    """Fills the temporary table ``checked``: the targets of each row and ``reason``, null where it is accepted.

    Raises:
        Refusal: if the mapping leaves a needed target open.
    """
    targets.require("program", "cycle", "experiment_id", "metric", "n", "sum_y")
    if not targets.has("creative_id"):
        targets.require("text")
    _name_texts(connection, targets)
    cadence = cadences.cadence(connection, mapping, targets)
    connection.execute(
        f"""create or replace temp table checked as
        with mapped as (
            select
                __row,
                {targets.key("program")} as program,
                {targets.text("cycle")} as cycle_text,
                {targets.cycle("cycle", cadence)} as cycle_read,
                {targets.key("experiment_id")} as experiment_id,
                {targets.key("creative_id")} as creative_given,
                {targets.key("segment") if targets.has("segment") else "'all'"} as segment,
                {targets.key("metric")} as metric,
                {targets.key("n")} as n_text,
                {targets.number("n")} as n,
                {targets.key("sum_y")} as sum_y_text,
                {targets.number("sum_y")} as sum_y,
                {targets.text("sum_y2")} as sum_y2_text,
                {targets.number("sum_y2")} as sum_y2,
                {targets.text("planned_share")} as share_text,
                {targets.number("planned_share")} as planned_share,
                {targets.text("is_baseline")} as is_baseline_text,
                {targets.flag("is_baseline")} as is_baseline,
                {targets.text("randomised")} as randomised_text,
                {targets.flag("randomised")} as randomised,
                {targets.text("closes_in_cycle")} as closes_text,
                {targets.cycle("closes_in_cycle", cadence)}.cycle as closes_given,
                {targets.text("text")} as text,
                {_tags(targets)} as tags
            from source_rows
        ),
        named as (
            select mapped.* exclude (cycle_read), cycle_read.cycle as cycle, cycle_read.day as cycle_day,
                coalesce(creative_given, text_ids.creative_id) as creative_id
            from mapped left join text_ids using (text)
        )
        select * exclude (cycle_text, cycle_day, creative_given, n_text, sum_y_text, sum_y2_text, share_text,
            is_baseline_text, randomised_text, closes_text), {_reason()} as reason
        from named""",
        {"today": now.date()},
    )
    if mapping.repeats == "refuse":
        _refuse_repeats(connection)
    increments.set_totals_aside(connection)


def append(
    connection: duckdb.DuckDBPyConnection, mapping: ResultsMapping, subject: str, import_id: str, now: dt.datetime
) -> int:
    """Appends what ``checked`` accepts and is new, with planned shares as they are told: the models make them sum to 1.

    Rows that are added up and tell no share have one each, so that the arm's is their number. Rows of one person each have none: those
    who came would be the plan.

    Returns:
        Rows whose increments were there already.

    Raises:
        Refusal: if an earlier import contradicts, see :func:`increments.append`, or counts in other cycles, see :mod:`cadences`.
    """
    if mapping.repeats == "sum":
        are_people = "(select coalesce(max(n) <= 1, false) from checked where reason is null)"
        share = f"""case when count(planned_share) = 0 and not {are_people} then cast(count(*) as double)
            when count(planned_share) = count(*) then case when {are_people} then max(planned_share) else sum(planned_share) end end"""
        rows = f"""select {_KEY}, sum(n) as n, sum(sum_y) as sum_y,
            case when count(sum_y2) > 0 then sum(coalesce(sum_y2, sum_y)) end as sum_y2, {share} as planned_share,
            bool_or(is_baseline) as is_baseline, bool_and(coalesce(randomised, true)) as is_randomised,
            arg_min(text, __row) as text, arg_min(tags, __row) as tags, max(closes_given) as closes_given
            from checked where reason is null group by {_KEY}"""
    else:
        rows = f"""select {_KEY}, n, sum_y, sum_y2, planned_share, is_baseline,
            coalesce(randomised, true) as is_randomised, text, tags, closes_given from checked where reason is null"""
    connection.execute(
        f"""create or replace temp table ready as
        with increments as ({rows}),
        lasts as (select program, experiment_id, max(cycle) as last_cycle from increments group by all)
        select increments.*, coalesce(closes_given, last_cycle) as closes_in_cycle
        from increments join lasts using (program, experiment_id)"""
    )
    cadences.refuse_mixed(connection, subject)
    increments.append(connection, subject, {"import_id": import_id, "now": now})
    query = f"select count(*) from checked semi join there using ({_KEY}) where reason is null"
    return int(connection.execute(query).fetchall()[0][0])


def _name_texts(connection: duckdb.DuckDBPyConnection, targets: Targets) -> None:
    """Fills ``text_ids``; folding case and HTML entities as Python does, once per distinct text."""
    texts: list[str] = []
    if targets.has("text"):
        missing = f"{targets.key('creative_id')} is null and {targets.text('text')} is not null"
        query = f"select distinct {targets.text('text')} from source_rows where {missing}"
        texts = [row[0] for row in connection.execute(query).fetchall()]
    named = pd.DataFrame({"text": texts, "creative_id": [creative_id_of(text) for text in texts]}, dtype="str")
    connection.register("named_texts", named)
    connection.execute("create or replace temp table text_ids as select * from named_texts")
    connection.unregister("named_texts")


def _tags(targets: Targets) -> str:
    """A list, or text that holds one: JSON, DuckDB's writing of lists, or tags parted by comma, semicolon or bar."""
    if targets.has("tags") and targets.is_list("tags"):
        return folded_tags(f"cast({targets.raw('tags')} as varchar[])")
    text = targets.text("tags")
    return folded_tags(
        f"""case when {text} not like '[%' then string_split_regex({text}, '[,;|]')
        when json_valid({text}) then from_json({text}, '["VARCHAR"]')
        else try_cast({text} as varchar[]) end"""
    )


def _reason() -> str:
    rules = [
        f"when {name} is null then '{name} is missing'" for name in ("program", "experiment_id", "segment", "metric")
    ]
    rules += ["when creative_id is null then 'creative_id and text are both missing'"]
    rules += [f"when {name}_text is null then '{name} is missing'" for name in ("cycle", "n", "sum_y")]
    rules += [
        "when cycle is null then 'cycle is no integer, date or ISO week'",
        "when cycle_day > $today then 'cycle is in the future'",
        "when n is null or not isfinite(n) then 'n is not a finite number'",
        "when n < 0 then 'n is negative'",
        "when n <> floor(n) or n >= 9007199254740992 then 'n is no whole number of people'",
        "when sum_y is null or not isfinite(sum_y) then 'sum_y is not a finite number'",
        "when n = 0 and (sum_y <> 0 or sum_y2 <> 0) then 'n is 0, but sum_y or sum_y2 is not'",
        "when sum_y2_text is null and sum_y < 0 then 'sum_y is negative'",
        "when sum_y2_text is null and sum_y > n then 'clicks above impressions: sum_y is larger than n'",
        "when sum_y2_text is not null and not coalesce(isfinite(sum_y2), false) then 'sum_y2 is not a finite number'",
        "when sum_y2 < 0 then 'sum_y2 is negative'",
        f"when n > 0 and abs(sum_y) >= {increments.LARGEST} * n then 'sum_y is too large for so few people to be true'",
        f"when sum_y2 >= {increments.LARGEST_SQUARE} then 'sum_y2 is too large to be added up exactly'",
        f"when n > 0 and sum_y2 < sum_y * sum_y / n * (1 - {_ROUNDING}) then 'sum_y2 is smaller than sum_y squared over n'",
        "when share_text is not null and planned_share is null then 'planned_share is not a number'",
        "when not (planned_share > 0 and isfinite(planned_share)) then 'planned_share is not a finite number above 0'",
        "when is_baseline_text is not null and is_baseline is null then 'is_baseline is neither true nor false'",
        "when randomised_text is not null and randomised is null then 'randomised is neither true nor false'",
        "when closes_text is not null and closes_given is null then 'closes_in_cycle is no integer, date or ISO week'",
        "when closes_given < cycle then 'closes_in_cycle is before cycle'",
    ]
    return "case " + " ".join(rules) + " end"


def _refuse_repeats(connection: duckdb.DuckDBPyConnection) -> None:
    """Keeps the first row of each key; the window looks only at keys that do repeat."""
    connection.execute(
        f"""update checked set reason = case
                when later.is_same then 'duplicated increment: an earlier row says the same'
                else 'conflicting increment: an earlier row has the same key and other numbers' end
        from (
            with repeated as (
                select {_KEY} from checked where reason is null group by all having count(*) > 1
            )
            select
                __row,
                row_number() over same_key as place,
                n = first_value(n) over same_key and sum_y = first_value(sum_y) over same_key
                    and sum_y2 is not distinct from first_value(sum_y2) over same_key as is_same
            from checked semi join repeated using ({_KEY})
            where reason is null
            window same_key as (partition by {_KEY} order by __row)
        ) as later
        where checked.__row = later.__row and later.place > 1"""
    )
