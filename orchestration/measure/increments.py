"""Increments of past experiments on their way into ``raw.results``: one that is there stays once, one that contradicts it is refused.

Evidence must not change because a file came by: a corrected file counts once somebody has withdrawn what it corrects.
"""

import duckdb

from orchestration.errors import Refusal
from orchestration.measure.texts import folded_tags

KEY = ("program", "cycle", "experiment_id", "creative_id", "segment", "metric")
LARGEST = "1e12"  # what one person can bring: `largest_amount` of the models, which add up in 38 digits
LARGEST_SQUARE = "1e24"
_COLUMNS = (
    *KEY,
    "n",
    "sum_y",
    "sum_y2",
    "planned_share",
    "is_baseline",
    "is_randomised",
    "text",
    "tags",
    "closes_in_cycle",
)
_ROUNDING = "1e-9"  # of sums that were added in another order
_SHARES = "1e-6"
# What a row says otherwise than the one that counts; a row that does not tell something contradicts nothing in it.
_CHANGES = {
    "n": "new.n <> old.n",
    "sum_y": f"abs(new.sum_y - old.sum_y) > {_ROUNDING} * (abs(old.sum_y) + 1)",
    "sum_y2": f"""abs(coalesce(new.sum_y2, new.sum_y) - coalesce(old.sum_y2, old.sum_y))
        > {_ROUNDING} * (abs(coalesce(old.sum_y2, old.sum_y)) + 1)""",
    "planned_share": f"abs(new.share_of_told - old.share_of_told) > {_SHARES}",
    "is_baseline": "new.is_baseline <> coalesce(old.is_baseline, false)",
    "randomised": "new.is_randomised <> old.is_randomised",
    "text": "new.text is not null and new.text is distinct from old.text",
    "tags": f"new.tags is not null and new.tags is distinct from {folded_tags('old.tags')}",  # once stored as they were written
    "closes_in_cycle": "new.closes_given <> old.closes_in_cycle",
}


def append(connection: duckdb.DuckDBPyConnection, subject: str, stamps: dict[str, object]) -> None:
    """Appends what is new of the temporary table ``ready``, and leaves in ``there`` the keys of what was stored before.

    Args:
        subject: The file's name.
        stamps: ``import_id`` and ``now``.

    Raises:
        Refusal: if an import that counts says something else of an increment.
    """
    key = ", ".join(KEY)
    connection.execute(
        f"""create or replace temp table there as
        select * from raw.results semi join ready using ({key})
        where import_id not in (select import_id from raw.withdrawals)
        qualify row_number() over (partition by {key} order by imported_at, import_id, n, sum_y) = 1"""
    )
    _refuse_contradictions(connection, subject)
    names = ", ".join(_COLUMNS)
    connection.execute(
        f"""insert into raw.results by name
        select {names}, $import_id as import_id, $now as imported_at from ready anti join there using ({key})""",
        stamps,
    )


def set_totals_aside(connection: duckdb.DuckDBPyConnection) -> None:
    """Gives rows of ``checked`` a reason where an experiment would hold the segment ``all`` and parts of it: people would count twice.

    The total is set aside, since the parts say more. Where an import that counts holds the total already, the parts are.
    """
    connection.execute(
        """create or replace temp table mixed as
        with stored as (
            select program, experiment_id, segment from raw.results
            where import_id not in (select import_id from raw.withdrawals)
        ),
        told as (
            select program, experiment_id,
                exists (select 1 from stored where stored.segment = 'all' and stored.program = checked.program
                    and stored.experiment_id = checked.experiment_id) as is_total_stored,
                exists (select 1 from stored where stored.segment <> 'all' and stored.program = checked.program
                    and stored.experiment_id = checked.experiment_id) as are_parts_stored,
                bool_or(segment = 'all') as has_total,
                bool_or(segment <> 'all') as has_parts
            from checked where reason is null group by program, experiment_id
        )
        select program, experiment_id, is_total_stored and not are_parts_stored as is_total_kept
        from told
        where (has_total or is_total_stored) and (has_parts or are_parts_stored)"""
    )
    connection.execute(
        """update checked set reason = case when is_total_kept
                then 'the experiment is stored under the segment all already: in a part of it the same people would count twice'
                else 'segment all stands beside other segments of the experiment: the same people would count twice' end
        from mixed
        where checked.reason is null and checked.program = mixed.program and checked.experiment_id = mixed.experiment_id
            and (checked.segment = 'all') <> is_total_kept"""
    )


def _refuse_contradictions(connection: duckdb.DuckDBPyConnection, subject: str) -> None:
    if not connection.execute("select 1 from there limit 1").fetchall():
        return
    group, key = "program, experiment_id, segment", ", ".join(KEY)
    counts = "raw.results where import_id not in (select import_id from raw.withdrawals)"
    arms = f"select {group}, creative_id, max(planned_share) as share from {{0}} group by all"
    told = f"select {group}, list_sort(list(creative_id)) as arms, sum(share) as total, count(share) = count(*) as are_told"
    # Shares may be told in percent or as weights, and older ones were made to sum to 1: compared are parts of their sum.
    connection.execute(
        f"""create or replace temp table told_shares as
        with new as ({told} from ({arms.format("ready")}) group by all),
        old as ({told} from ({arms.format(counts)}) group by all)
        select {group}, new.total as new_total, old.total as old_total
        from new join old using ({group}, arms) where new.are_told and old.are_told"""
    )
    rules = ", ".join(f"case when {rule} then '{name}' end" for name, rule in _CHANGES.items())
    found = connection.execute(
        f"""with new as (select ready.*, planned_share / new_total as share_of_told from ready left join told_shares using ({group})),
        old as (select there.*, planned_share / old_total as share_of_told from there left join told_shares using ({group})),
        compared as (
            select {", ".join(f"old.{name}" for name in KEY)}, old.import_id,
                list_filter([{rules}], lambda name: name is not null) as names
            from new join old using ({key})
        )
        select compared.*, imports.subject, imports.imported_at, count(*) over () as rows
        from compared left join raw.imports as imports using (import_id)
        where len(names) > 0 order by {key} limit 1"""
    ).fetchall()
    if found:
        program, cycle, experiment, creative, segment, metric, import_id, names, earlier, at, rows = found[0]
        raise Refusal(
            subject,
            f"says otherwise than {earlier} of {at:%Y-%m-%d} about {rows:,} increments (first: {', '.join(names)} of {metric}, program "
            f"{program}, experiment {experiment}, segment {segment}, creative {creative}, cycle {cycle})",
            f"If this file is right, take the other back: `loop imports withdraw {import_id[:12]} --reason WHY`, then import it again.",
        )
