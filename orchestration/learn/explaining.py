"""Why a learning says so: its state and its reason, what it rests on, how it came to be, and where it was used."""

from typing import Any

from orchestration.edges.warehouse import Warehouse
from orchestration.learn.briefing import percent


def why_learning(warehouse: Warehouse, name: str, program: str | None) -> list[str]:
    """The latest row of every claim of a tag, or the one row with an evidence id, in words; empty where there is none.

    Args:
        name: A tag, ``tag:segment``, or an evidence id.
    """
    tag, _, segment = name.partition(":")
    rows = warehouse.rows(
        """
        select learnings.*, evidence.is_significant, evidence.is_supported, evidence.family_claims, evidence.designed_experiments,
            (
                select count(*) from ledger.creatives as creatives where list_contains(creatives.learnings_used, learnings.evidence_id)
            ) as used_by
        from marts.learnings as learnings
        left join marts.tag_evidence as evidence
            on learnings.program = evidence.program and learnings.metric = evidence.metric and learnings.segment = evidence.segment
            and learnings.tag = evidence.tag and learnings.cycle = evidence.cycle
        where ($program is null or learnings.program = $program)
            and (
                learnings.evidence_id = $name
                or learnings.tag = $tag and ($segment = '' or learnings.segment = $segment)
                and learnings.cycle = (select max(cycle) from marts.learnings as later where later.program = learnings.program)
            )
        order by learnings.program, learnings.metric, learnings.segment = 'all' desc, learnings.segment
        """,
        {"program": program, "name": name, "tag": tag, "segment": segment},
    )
    return [line for row in rows for line in _sentences(warehouse, row)]


def _sentences(warehouse: Warehouse, row: dict[str, Any]) -> list[str]:
    where = "everyone" if row["segment"] == "all" else row["segment"]
    lines = [f"{row['program']}: {row['tag']} on {row['metric']} for {where}, cycle {row['cycle']}: {row['status']}."]
    lines.append(f"  Because: {row['reason']}.")
    if row["effect"] is not None and row["ci_low"] is not None and row["ci_high"] is not None:
        low, effect, high = (percent(row[key]) for key in ("ci_low", "effect", "ci_high"))
        lines.append(f"  Effect {effect}, between {low} and {high} at every look; grade {row['grade']}.")
    tests = (
        f"{row['n_experiments']} experiments ({row['designed_experiments'] or 0} designed), {row['n_creatives']} texts"
    )
    lines.append(
        f"  Rests on {tests}; e-value {row['e_value']:.3g}, robust log e-value {row['log_e_value_robust']:.2f}, "
        f"judged together with {(row['family_claims'] or 1) - 1} other claims."
    )
    past = warehouse.rows(
        """
        select cycle, status from marts.learnings
        where program = $program and metric = $metric and segment = $segment and tag = $tag and cycle <= $cycle
        qualify status is distinct from lag(status) over (order by cycle)
        order by cycle
        """,
        {key: row[key] for key in ("program", "metric", "segment", "tag", "cycle")},
    )
    states = ", then ".join(f"{one['status']} in {one['cycle']}" for one in past)
    lines.append(f"  Came to be: {states}.")
    lines.append(f"  Told to the writers of {row['used_by']} creatives; evidence id {row['evidence_id']}.")
    return lines
