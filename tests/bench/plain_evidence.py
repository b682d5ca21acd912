"""The same evidence as one plain script: what an analyst with DuckDB and no framework would write for a regular file.

One baseline and one arm per tag in every experiment, 0/1 outcomes, nothing broken, nothing late: it checks none of that, keeps no
between-creative variance and sums in floating point. What the models cost beyond it is the price of all the rest.
"""

import time

import duckdb

RHO, LEAST, Q = 0.25, 5, 0.05

_CONTRASTS = """
    create or replace table plain.contrasts as
    with arms as (
        select program, cycle, experiment_id, segment, is_baseline, tags[1] as tag,
            ln((sum_y + 0.5) / (n + 1)) as log_rate, 1 / (sum_y + 0.5) - 1 / n as variance
        from raw.results
    ),
    by_segment as (
        select program, cycle, experiment_id, segment, arms.tag,
            arms.log_rate - baselines.log_rate as contrast, arms.variance + baselines.variance as variance
        from arms
        join arms as baselines using (program, cycle, experiment_id, segment)
        where baselines.is_baseline and not arms.is_baseline
    ),
    pooled as (
        select program, cycle, experiment_id, 'all' as segment, tag,
            sum(contrast / variance) / sum(1 / variance) as contrast, 1 / sum(1 / variance) as variance
        from by_segment
        group by program, cycle, experiment_id, tag
    )
    select *, contrast / sqrt(variance) as x from (select * from by_segment union all by name select * from pooled)
"""

_E_VALUES = f"""
    create or replace table plain.e_values as
    with sums as (
        select program, segment, tag, cycle,
            count(*) over so_far as k, sum(x) over so_far as total, sum(x * x) over so_far as total_square
        from plain.contrasts
        window so_far as (partition by program, segment, tag order by cycle rows unbounded preceding)
    ),
    tested as (
        select *, total * total / k / greatest((total_square - total * total / k) / (k - 1), 1e-12) as t2 from sums
    )
    select *,
        case when k < {LEAST} then 0
        else k / 2 * (ln(1 + t2 / (k - 1)) - ln(1 + t2 / ((k - 1) * (1 + k * {RHO})))) - ln(1 + k * {RHO}) / 2 end as log_e,
        {RHO} * total * total / (2 * (1 + {RHO} * total_square)) - ln(1 + {RHO} * total_square) / 2 as log_e_robust
    from tested
"""

_E_BH = f"""
    create or replace table plain.evidence as
    with tags as (
        select *, row_number() over family as place, count(*) over (partition by program, cycle) as claims
        from plain.e_values
        where segment = 'all'
        window family as (partition by program, cycle order by log_e desc)
    ),
    tags_kept as (
        select program, cycle, max(place) as kept from tags where log_e >= ln(claims / ({Q} * place)) group by all
    ),
    passed as (
        select program, cycle, tag from tags join tags_kept using (program, cycle) where place <= kept
    ),
    segments as (
        select *, row_number() over family as place, count(*) over (partition by program, cycle) as claims
        from plain.e_values
        semi join passed using (program, cycle, tag)
        where segment <> 'all'
        window family as (partition by program, cycle order by log_e desc)
    ),
    segments_kept as (
        select program, cycle, max(place) as kept from segments where log_e >= ln(claims / ({Q} * place)) group by all
    ),
    learned as (
        select program, cycle, tag, 'all' as segment from passed
        union all
        select program, cycle, tag, segment from segments join segments_kept using (program, cycle) where place <= kept
    )
    select e_values.*, learned.tag is not null as is_learned
    from plain.e_values
    left join learned using (program, cycle, tag, segment)
"""


def plain_evidence(connection: duckdb.DuckDBPyConnection) -> float:
    """Makes ``plain.evidence`` from ``raw.results``: one row per program, segment, tag and cycle; returns the seconds it took."""
    connection.execute("create schema if not exists plain")
    begin = time.perf_counter()
    for statement in (_CONTRASTS, _E_VALUES, _E_BH):
        connection.execute(statement)
    return time.perf_counter() - begin
