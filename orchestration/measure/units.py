"""Past experiments as randomised people: judges each person and appends the sums of each arm to ``raw.results``."""

import datetime as dt

import duckdb

from orchestration.errors import Refusal
from orchestration.measure import cadences, increments
from orchestration.measure.mapping import UnitsMapping
from orchestration.measure.reading import literal
from orchestration.measure.targets import Targets


def stage(connection: duckdb.DuckDBPyConnection, mapping: UnitsMapping, targets: Targets, now: dt.datetime) -> None:
    """Fills the temporary table ``checked``: key, one ``metric_<i>`` each and ``reason``, null where accepted.

    Raises:
        Refusal: if a metric's column is absent, or no accepted row is of the baseline arm.
    """
    targets.require_columns(list(mapping.metrics.values()))
    metrics = ", ".join(
        f"{targets.number_in(column)} as metric_{place}" for place, column in enumerate(mapping.metrics.values())
    )
    cadence = cadences.cadence(connection, mapping, targets)
    connection.execute(
        f"""create or replace temp table checked as
        with mapped as (
            select
                __row,
                {targets.key("program")} as program,
                {targets.cycle("cycle", cadence)} as cycle_read,
                {targets.key("experiment_id")} as experiment_id,
                {targets.key("arm")} as creative_id,
                {targets.key("segment") if targets.has("segment") else "'all'"} as segment,
                {targets.key("unit")} as unit,
                {metrics}
            from source_rows
        ),
        judged as (
            select * exclude (cycle_read), cycle_read.cycle as cycle, {_reason(mapping)} as reason
            from mapped
        )
        select * from judged""",
        {"today": now.date()},
    )
    if targets.has("unit"):
        _count_people_once(connection)
    increments.set_totals_aside(connection)
    _require_baseline(connection, mapping)


def append(
    connection: duckdb.DuckDBPyConnection, mapping: UnitsMapping, subject: str, import_id: str, now: dt.datetime
) -> int:
    """Appends the sums by arm that are new; squares only of metrics that are not 0/1 throughout.

    Returns:
        People of whom every sum was there already.

    Raises:
        Refusal: if an earlier import contradicts, see :func:`increments.append`, or counts in other cycles, see :mod:`cadences`.
    """
    shares = " ".join(f"when {literal(arm)} then {share}" for arm, share in mapping.planned_shares.items())
    share = f"case creative_id {shares} end" if shares else "null"
    sums = []
    for place, metric in enumerate(mapping.metrics):
        y = f"metric_{place}"
        sums.append(
            f"""select program, cycle, experiment_id, creative_id, segment, {literal(metric)} as metric,
                cast(count(*) as double) as n, sum({y}) as sum_y,
                case when not any_value(is_binary) then sum({y} * {y}) end as sum_y2,
                cast({share} as double) as planned_share
            from (select *, bool_and({y} in (0, 1)) over () as is_binary from checked where reason is null) group by all"""
        )
    connection.execute(
        f"""create or replace temp table ready as
        with sums as ({" union all ".join(sums)})
        select
            *,
            creative_id = $baseline as is_baseline,
            true as is_randomised,
            cast(null as varchar) as text,
            cast(null as varchar[]) as tags,
            cast(null as bigint) as closes_given,
            max(cycle) over (partition by program, experiment_id) as closes_in_cycle
        from sums""",
        {"baseline": mapping.baseline},
    )
    cadences.refuse_mixed(connection, subject)
    increments.append(connection, subject, {"import_id": import_id, "now": now})
    query = """select count(*) from checked semi join (
            select program, cycle, experiment_id, creative_id, segment from there group by all having count(*) = $metrics
        ) using (program, cycle, experiment_id, creative_id, segment) where reason is null"""
    return int(connection.execute(query, {"metrics": len(mapping.metrics)}).fetchall()[0][0])


def _reason(mapping: UnitsMapping) -> str:
    rules = [f"when {name} is null then '{name} is missing'" for name in ("program", "experiment_id", "segment")]
    rules += [
        "when creative_id is null then 'the arm is missing'",
        "when cycle_read.cycle is null then 'cycle is missing, or no integer, date or ISO week'",
        "when cycle_read.day > $today then 'cycle is in the future'",
    ]
    if mapping.unit is not None:
        rules += ["when unit is null then 'unit is missing'"]
    for place, metric in enumerate(mapping.metrics):
        y = f"metric_{place}"
        rules += [
            f"when {y} is null or not isfinite({y}) then {literal(f'{metric} is missing or not a finite number')}"
        ]
        rules += [f"when abs({y}) >= {increments.LARGEST} then {literal(f'{metric} is too large to be true')}"]
        if metric not in mapping.may_be_negative:
            rules += [f"when {y} < 0 then {literal(f'{metric} is negative')}"]
    return "case " + " ".join(rules) + " end"


def _count_people_once(connection: duckdb.DuckDBPyConnection) -> None:
    """Keeps the first row of each person, and none of a person in two arms: whichever one met first, both worked on them."""
    connection.execute(
        """update checked set reason = case when twice.arms > 1 then 'the person is in two arms of the experiment or more'
                else 'the person is in the experiment already' end
        from (
            select program, experiment_id, unit, min(__row) as first_row, count(distinct creative_id) as arms
            from checked where reason is null
            group by all having count(*) > 1
        ) as twice
        where checked.program = twice.program and checked.experiment_id = twice.experiment_id
            and checked.unit = twice.unit and checked.reason is null and (twice.arms > 1 or checked.__row > twice.first_row)"""
    )


def _require_baseline(connection: duckdb.DuckDBPyConnection, mapping: UnitsMapping) -> None:
    query = "select creative_id from checked where reason is null group by 1 order by count(*) desc, 1 limit 20"
    arms = [row[0] for row in connection.execute(query).fetchall()]
    if arms and mapping.baseline not in arms:
        raise Refusal(f"baseline {mapping.baseline}", "is no arm of the file", f"Choose one of {', '.join(arms)}.")
    if unknown := sorted(set(mapping.planned_shares) - set(arms)) if arms else []:
        raise Refusal(f"planned_shares {unknown[0]}", "is no arm of the file", f"Choose among {', '.join(arms)}.")
