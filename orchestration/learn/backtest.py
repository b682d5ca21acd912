"""What would have been learned, and when, from past experiments: the real models over a file of results."""

import datetime as dt
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.edges.clock import Clock
from orchestration.edges.dbt import DbtProject, NodeResult
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.learn.tagging import tag_texts
from orchestration.learn.taxonomy import Taxonomy
from orchestration.measure.imports import ImportReport, import_file
from orchestration.measure.mapping import Mapping
from orchestration.programs.definition import Thresholds

LEARNINGS = """
    select program, cycle, tag, segment, metric, status, grade, effect, ci_low, ci_high, e_value, n_experiments, n_creatives, reason
    from marts.learnings
    order by program, cycle, metric, segment, tag
"""
SHOWN = 40  # arms and metrics of a file that are worth a verdict each on the terminal
HEALTH = """
    select program, experiment_id, cycle, srm_e_value, status, reason
    from marts.experiment_health
    order by program, experiment_id, cycle
"""


@dataclass(frozen=True, slots=True)
class Backtest:
    """What a backtest came to.

    Attributes:
        imported: Rows read, accepted and quarantined.
        learnings, health: The files written.
        nodes: Engine time of each model.
        summary: One row per learning ever active: program, metric, segment, tag, first cycle, effect, interval, last status.
        verdicts: Arms against their baselines at their last look, where the file has few enough of them to read (``SHOWN``).
    """

    imported: ImportReport
    learnings: Path
    health: Path
    nodes: tuple[NodeResult, ...]
    summary: list[dict[str, Any]]
    verdicts: list[dict[str, Any]]


def backtest(
    results: Path,
    out: Path,
    mapping: Mapping,
    clock: Clock,
    *,
    dbt: DbtProject,
    taxonomy: Taxonomy,
    thresholds: Thresholds | None = None,
    progress: Callable[[str], None] = lambda message: None,
) -> Backtest:
    """Runs the evidence engine over a file of past results in a warehouse of its own.

    Args:
        results: Parquet, CSV or NDJSON in the columns that ``mapping`` names.
        out: Folder for ``learnings.parquet`` and ``experiment_health.parquet``, each replaced as a whole.
        thresholds: By which every program of the file is judged; the policy's where None, or where it has none of its own.

    Raises:
        Refusal: if the file or the mapping cannot be used, or ``out`` cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refusal(str(out), f"cannot be made ({error.strerror})", "Choose another folder with --out.") from error
    with tempfile.TemporaryDirectory(prefix="loop-backtest-") as scratch:
        warehouse = Warehouse(Path(scratch))
        warehouse.migrate()
        progress("reading the results")
        imported = import_file(warehouse, results, mapping, clock)
        if thresholds is not None:
            _judge_by(warehouse, thresholds, clock.now())
        progress("reading tags from the texts")
        tag_texts(warehouse, taxonomy, clock.now())
        progress("weighing the evidence")
        arms = warehouse.rows(
            "select count(distinct (experiment_id, segment, creative_id, metric)) as n from raw.results"
        )[0]["n"]
        select = ("+learnings", "+experiment_health", *(("+experiment_verdicts",) if arms <= SHOWN else ()))
        nodes = dbt.build(warehouse, select=select, exclude=("resource_type:test", "resource_type:unit_test"))
        progress("writing the learnings")
        for query, name in ((LEARNINGS, "learnings"), (HEALTH, "experiment_health")):
            _write(warehouse, query, out / f"{name}.parquet")
        summary = warehouse.rows(_SUMMARY)
        verdicts = warehouse.rows(_VERDICTS) if arms <= SHOWN else []
    return Backtest(
        imported, out / "learnings.parquet", out / "experiment_health.parquet", tuple(nodes), summary, verdicts
    )


def _judge_by(warehouse: Warehouse, thresholds: Thresholds, now: dt.datetime) -> None:
    """Gives every program of the results a definition that says nothing but these thresholds."""
    spec = json.dumps({"thresholds": thresholds.model_dump()})
    programs = warehouse.rows("select distinct program from raw.results order by program")
    fixed = {"version": "thresholds", "spec": spec, "recorded_at": now}
    warehouse.append({"ledger.programs": [{**row, **fixed} for row in programs]})


_VERDICTS = """
    select experiment_id, segment, metric, creative_id, contrasts.mean, contrasts.baseline_mean, verdicts.lift, verdicts.lift_low,
        verdicts.lift_high, verdicts.verdict, verdicts.reason
    from marts.experiment_verdicts as verdicts
    left join marts.experiment_contrasts as contrasts using (program, metric, experiment_id, segment, creative_id, cycle)
    qualify cycle = max(cycle) over (partition by program, experiment_id, segment, metric)
    order by all
"""

_SUMMARY = """
    select program, metric, segment, tag,
        min(cycle) filter (where status = 'active') as first_active,
        max_by(status, cycle) as status,
        max_by(effect, cycle) as effect,
        max_by(ci_low, cycle) as ci_low,
        max_by(ci_high, cycle) as ci_high,
        max_by(n_experiments, cycle) as n_experiments,
        max_by(reason, cycle) as reason
    from marts.learnings
    group by program, metric, segment, tag
    having count(*) filter (where status = 'active') > 0
    order by program, metric, segment <> 'all', segment, first_active, tag
"""


def _write(warehouse: Warehouse, query: str, target: Path) -> None:
    draft = target.with_suffix(".draft")
    with warehouse.connect() as connection:
        connection.execute(f"copy ({query}) to '{str(draft).replace(chr(39), chr(39) * 2)}' (format parquet)")
    os.replace(draft, target)
