"""Dagster opens the quick event log, what it stores can be read again, and a run's events share one open file."""

from pathlib import Path

import dagster as dg
import pytest

from orchestration.edges.run_storage import QuickEventLog
from orchestration.running import dagster_home


@dg.asset
def counted() -> dg.MaterializeResult:  # type: ignore[type-arg]
    return dg.MaterializeResult(metadata={"rows": 3})


def test_a_run_is_recorded_through_the_quick_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    dagster_home(tmp_path)
    with dg.DagsterInstance.get() as instance:
        storage = instance.event_log_storage
        assert isinstance(storage, QuickEventLog)
        run = dg.materialize([counted], instance=instance)
        assert run.success
        assert set(storage._engines) == {"index", run.run_id}
    with dg.DagsterInstance.get() as again:
        event = again.get_latest_materialization_event(dg.AssetKey("counted"))
        assert event is not None
        assert event.asset_materialization is not None
        assert event.asset_materialization.metadata["rows"].value == 3
