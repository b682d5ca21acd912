"""Runs the cycle job in this process: the same job, assets and records as in Dagster's UI."""

import json
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from dagster_shared.error import SerializableErrorInfo

from orchestration.build.checking import TAG, Checks
from orchestration.errors import LoopError, Refusal

_INSTANCE = """\
telemetry: {{enabled: false}}
nux: {{enabled: false}}
concurrency:
  runs: {{max_concurrent_runs: 1}}
  pools: {{default_limit: 1, granularity: run}}
event_log_storage:
  module: orchestration.edges.run_storage
  class: QuickEventLog
  config: {{base_dir: {history}}}
"""


@dataclass(frozen=True, slots=True)
class StageRun:
    """One run of the cycle job.

    Attributes:
        run_id: Dagster's id; ``loop dev`` shows the run.
        materialised: Number of assets made.
    """

    run_id: str
    materialised: int


def dagster_home(warehouse: Path) -> Path:
    """The instance folder beside the warehouse, made with telemetry off and one run at a time."""
    home = (warehouse / "dagster").resolve()
    try:
        home.mkdir(parents=True, exist_ok=True)
        config, content = home / "dagster.yaml", _INSTANCE.format(history=json.dumps(str(home / "history")))
        if not config.exists() or config.read_text(encoding="utf-8") != content:
            config.write_text(content, encoding="utf-8")
    except OSError as error:
        raise Refusal(
            str(warehouse), f"cannot be written ({error.strerror})", "Choose another folder with --warehouse."
        ) from error
    os.environ["DAGSTER_HOME"] = str(home)
    return home


@contextmanager
def _instance(warehouse: Path) -> Iterator[dg.DagsterInstance]:
    dagster_home(warehouse)
    with dg.DagsterInstance.get() as instance:
        yield instance


def require_cycle(key: str) -> None:
    """Checks that a cycle can be run, before anything is made.

    Raises:
        Refusal: if the project was never parsed, or the cycle lies in the future or too far back.
    """
    from orchestration.cadence import FIRST_DAY, PARTITIONS
    from orchestration.edges.dbt import MANIFEST

    if not MANIFEST.exists():
        raise Refusal("dbt manifest", "is missing", "Run `loop manifest`.")
    try:
        can_be_run = PARTITIONS.has_partition_key(key)
    except OverflowError:  # no calendar has the week after it
        can_be_run = False
    if not can_be_run:
        raise Refusal(
            f"cycle of {key}",
            "cannot be run",
            f"Name a cycle that began on {FIRST_DAY} or later, and not in the future.",
        )


def run_cycle(
    warehouse: Path,
    programs: Path,
    cadence: str,
    seed: int,
    key: str,
    *,
    fixed_time: str | None,
    only: Sequence[str] = (),
    checks: Checks = "all",
) -> StageRun:
    """Runs the cycle job for one partition, for a caller who holds the right to turn the loop (`edges/locks.py`).

    Args:
        key: Partition key, an ISO date.
        fixed_time: ISO time for the clock, or None for the machine's.
        only: Stages (asset groups) to run; empty runs all.
        checks: Which data tests the build runs.

    Raises:
        Refusal: as :func:`require_cycle`.
        LoopError: what a stage refused.
        KeyboardInterrupt: if it was interrupted, which Dagster takes for a failure.
    """
    require_cycle(key)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", dg.BetaWarning
        )  # backfill_policy; the lock pins the version that is known to work
        from orchestration.definitions import defs

    config = {
        "resources": {
            "warehouse": {"config": {"folder": str(warehouse)}},
            "clock": {"config": {"fixed": fixed_time} if fixed_time else {}},
            "programs": {"config": {"folder": str(programs), "cadence": cadence, "seed": seed}},
            "turn": {"config": {"folder": str(warehouse), "is_held": True}},
        },
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
    }
    job = defs.resolve_job_def("cycle")
    assets = {asset for asset in job.asset_layer.selected_asset_keys if not only or _group(asset) in only}
    if checks == "evidence":
        from orchestration.build.assets import checks_left_out

        planned = {key for key in job.asset_layer.asset_graph.asset_check_keys if key.asset_key in assets}
        job = job.get_subset(asset_selection=assets, asset_check_selection=planned - checks_left_out())
    selection = sorted(assets) if only and checks == "all" else None
    with _instance(warehouse) as instance:
        result = job.execute_in_process(
            run_config=config,
            partition_key=key,
            instance=instance,
            asset_selection=selection,
            raise_on_error=False,
            tags={TAG: checks},
        )
        if not result.success:
            raise _reason(result)
        return StageRun(result.run_id, _count(result))


def told(warehouse: Path, run_id: str) -> list[str]:
    """What a run has to tell: what it left alone and why, and which stored models its build made anew."""
    with _instance(warehouse) as instance:
        logs = [entry for entry in instance.all_logs(run_id) if not entry.is_dagster_event]
    return [
        entry.user_message
        for entry in logs
        if entry.level == logging.WARNING or (entry.level == logging.INFO and entry.step_key == "warehouse_models")
    ]


def definitions() -> dg.Definitions:
    """The definitions, without Dagster's notes on its own beta parameters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=dg.BetaWarning)
        from orchestration.definitions import defs
    return defs


def _group(asset: dg.AssetKey) -> str:
    return definitions().resolve_asset_graph().get(asset).group_name


def _count(result: dg.ExecuteInProcessResult) -> int:
    return len(result.get_asset_materialization_events())


def _reason(result: dg.ExecuteInProcessResult) -> BaseException:
    """An interruption, the refusal of the stage that failed, or an error that names the run when the failure was not expected."""
    if any(_is_interruption(getattr(event.event_specific_data, "error", None)) for event in result.all_events):
        return KeyboardInterrupt()
    for event in result.get_step_failure_events():
        info = event.step_failure_data.error
        while info is not None:
            if info.cls_name in {"Refusal", "WarehouseLocked"}:
                subject, _, rest = info.message.split(": ", 1)[-1].strip().partition(" -> ")
                reason, _, remedy = rest.partition(". ")
                return LoopError(subject, reason, remedy)
            info = info.cause
        first = event.step_failure_data.error
        return RuntimeError(f"step {event.step_key} failed:\n{first.to_string() if first else 'no error was recorded'}")
    return RuntimeError(f"run {result.run_id} failed")


def _is_interruption(info: SerializableErrorInfo | None) -> bool:
    """Whether an error came of Ctrl-C, for which Dagster and DuckDB each have an error of their own."""
    while info is not None:
        if info.cls_name in {"DagsterExecutionInterruptedError", "KeyboardInterrupt"}:
            return True
        if info.message.strip() == "RuntimeError: Query interrupted":
            return True
        info = info.cause or info.context
    return False
