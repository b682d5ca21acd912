"""How the cycles of a program are numbered: by day (``YYYYMMDD``), by ISO week (``YYYYWW``) or in rounds of a file's own (1, 2, 3).

A program's cycles are one order: 20250304 beside 202606 would come after it.
"""

import duckdb

from orchestration.errors import Refusal
from orchestration.measure.mapping import ResultsMapping, UnitsMapping
from orchestration.measure.reading import literal
from orchestration.measure.targets import Targets

_NAMES = {"day": "by day", "week": "by ISO week"}
_LIVE = "the loop itself"
# 202412 may be a month, which a file may well count by; it lies in the same order as weeks do.
_UNIT = """case when cycle between 19000101 and 29991231 and try_strptime(cast(cycle as varchar), '%Y%m%d') is not null then 'day'
    when cycle between 190001 and 299953 and cycle % 100 between 1 and 53 then 'week' end"""


def cadence(connection: duckdb.DuckDBPyConnection, mapping: ResultsMapping | UnitsMapping, targets: Targets) -> str:
    """SQL text: what a cycle given as a date becomes in each row, ``daily`` or ``weekly``.

    What the mapping says holds; else the program's definition, where the warehouse knows it; else ``daily``.
    """
    if "cadence" in mapping.model_fields_set:
        return literal(mapping.cadence)
    known = connection.execute(
        """select program, coalesce(arg_max(json_extract_string(spec, '$.cadence'), (recorded_at, version)), 'weekly') as cadence
        from ledger.programs group by program having cadence <> ? order by program""",
        [mapping.cadence],
    ).fetchall()
    otherwise = literal(mapping.cadence)
    cases = " ".join(f"when {literal(program)} then {literal(told)}" for program, told in known)
    return f"case {targets.key('program')} {cases} else {otherwise} end" if cases else otherwise


def refuse_mixed(connection: duckdb.DuckDBPyConnection, subject: str) -> None:
    """Refuses cycles (closing ones too) of the temporary table ``ready`` by day where others of the program are by week, or in reverse.

    Raises:
        Refusal: naming the first program, a cycle of each and whence the other is.
    """
    found = connection.execute(
        f"""with told as (
            select program, {_UNIT} as unit, min(cycle) as cycle
            from (select program, cycle from ready union select program, closes_in_cycle from ready) group by all
        ),
        others as (
            select program, cycle, 'another row of it' as whence, 3 as place from told
            union all
            select program, results.cycle, coalesce(imports.subject, 'an earlier import'), 2
            from raw.results as results left join raw.imports as imports using (import_id)
            where import_id not in (select import_id from raw.withdrawals) and program in (select program from told)
            union all
            select program, cycle, $live, 1 from ledger.cycles where program in (select program from told)
        )
        select told.program, told.unit, told.cycle, others.unit, others.cycle, others.whence
        from told join (select *, {_UNIT} as unit from others) as others on told.program = others.program and told.unit <> others.unit
        order by told.program, others.place, others.cycle, told.cycle limit 1""",
        {"live": _LIVE},
    ).fetchall()
    if found:
        program, unit, cycle, other, theirs, whom = found[0]
        raise Refusal(
            subject,
            f"counts program {program} {_NAMES[unit]} (cycle {cycle}) where {whom} counts it {_NAMES[other]} (cycle {theirs})",
            "Give cycles of one kind: `cadence` of the mapping says what dates become. A wrong import is taken back with "
            "`loop imports withdraw`.",
        )
