"""A source that is no longer read, is read with holes, or comes to nothing fails a check; one that keeps coming does not."""

import datetime as dt
from typing import Any

import dagster as dg
import pytest

from orchestration.errors import Refusal
from orchestration.measure.pulls.assets import CHECKS, PULLS, SOURCES, arrivals_job
from orchestration.measure.pulls.definition import read_access
from orchestration.measure.pulls.freshness import Report, expected_hours, reports, table
from orchestration.resources import ClockResource, WarehouseResource
from tests.measure.pulls.conftest import DAY, NOW, TODAY, Stage

HOUR = dt.timedelta(hours=1)


def looked(stage: Stage, name: str, now: dt.datetime) -> list[Report]:
    source = SOURCES[name]
    return reports(stage.warehouse, source, read_access(source).accounts, now)


def test_what_was_never_read_is_stale_and_what_was_read_lately_is_not(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.warehouse.migrate()
    streams, [account] = [stream.name for stream in SOURCES["tiktok"].streams], read_access(SOURCES["tiktok"]).accounts
    assert [one.stale(30) for one in looked(stage, "tiktok", NOW)] == [
        f"{account} {name}: never read" for name in streams
    ]
    stage.pull(SOURCES["tiktok"])
    now = looked(stage, "tiktok", NOW + 2 * HOUR)
    assert [(one.lag_hours, one.completeness, one.newest_day, one.stale(30), one.came_to_nothing) for one in now] == [
        (2.0, 1.0, TODAY, None, None)
    ] * len(streams)
    later = looked(stage, "tiktok", NOW + 31 * HOUR)
    assert [one.stale(30) for one in later] == [
        f"{account} {name}: read 31 h ago, expected every 30 h" for name in streams
    ]
    assert f"| {account} | " in table(later)
    assert expected_hours(SOURCES["tiktok"]) == 30
    monkeypatch.setenv("LOOP_PULL_EXPECTED_HOURS", "meta=3 tiktok=40")
    assert expected_hours(SOURCES["tiktok"]) == 40
    for wrong in ("tiktok", "tiktok=soon", "tiktok=0", "=4"):
        monkeypatch.setenv("LOOP_PULL_EXPECTED_HOURS", wrong)
        with pytest.raises(Refusal, match=f"holds {wrong}, which is not source=hours"):
            expected_hours(SOURCES["tiktok"])


def test_days_that_were_never_read_are_missed(stage: Stage) -> None:
    stage.pull(SOURCES["tiktok"], TODAY - 4 * DAY, TODAY)
    spans = SOURCES["tiktok"].reread_days - 1
    assert {one.completeness for one in looked(stage, "tiktok", NOW)} == {4 / spans}
    assert {one.completeness for one in looked(stage, "mastodon", NOW)} == {None}


def test_a_report_that_is_suddenly_empty_is_told(stage: Stage) -> None:
    stage.pull(SOURCES["tiktok"])
    for key in stage.world.ads:
        stage.world.ads[key] = []
    stage.world.now = NOW + 31 * HOUR
    stage.pull(SOURCES["tiktok"])
    told = [one.came_to_nothing for one in looked(stage, "tiktok", stage.world.now)]
    assert all(one is not None and "readings without a row, where earlier ones had" in one for one in told)


def test_rows_of_which_none_was_taken_are_told(stage: Stage) -> None:
    source = SOURCES["tiktok"]
    other = [stream.model_copy(update={"fields": dict.fromkeys(stream.fields, "object")}) for stream in source.streams]
    report = stage.pull(
        source.model_copy(update={"streams": tuple(other)})
    )  # every row is of another type than expected
    assert (report.rows, report.refused_windows > 0) == (0, True)
    told = [one.came_to_nothing for one in looked(stage, "tiktok", NOW)]
    assert all(one is not None and "rows came and none was taken" in one for one in told)


def evaluations(stage: Stage) -> dict[tuple[str, str], Any]:
    """(asset, check) -> what Dagster stored of it."""
    resources = {
        "warehouse": WarehouseResource(folder=str(stage.warehouse.folder)),
        "clock": ClockResource(fixed=stage.world.now.isoformat()),
    }
    defs = dg.Definitions(assets=PULLS, asset_checks=CHECKS, jobs=[arrivals_job], resources=resources)
    with dg.DagsterInstance.ephemeral() as instance:
        done = defs.resolve_job_def("pull_arrivals").execute_in_process(instance=instance)
        assert done.success
        return {(one.asset_key.to_user_string(), one.check_name): one for one in done.get_asset_check_evaluations()}


def test_dagster_looks_at_every_source_beside_its_pulls(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOOP_META_TOKEN")
    stage.pull(SOURCES["tiktok"])
    found = evaluations(stage)
    assert len(found) == 2 * len(SOURCES)
    tiktok = found["raw_tiktok/reports", "is_fresh"]
    assert (tiktok.passed, tiktok.metadata["longest lag in hours"].value) == (True, 0.0)
    assert tiktok.metadata["least share of days there"].value == 1.0
    assert found["raw_meta/insights", "is_fresh"].metadata["not configured"].value == "LOOP_META_TOKEN"
    linkedin = found["raw_linkedin/analytics", "is_fresh"]
    assert not linkedin.passed
    assert "never read" in linkedin.description
    assert found["raw_linkedin/analytics", "what_came_was_taken"].passed
    stage.world.now = NOW + 31 * HOUR
    assert not evaluations(stage)["raw_tiktok/reports", "is_fresh"].passed
