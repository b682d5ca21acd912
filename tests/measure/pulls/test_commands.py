"""Pulls as people and Dagster run them."""

import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner

from orchestration.cli import app
from orchestration.measure.pulls.assets import PULLS
from orchestration.resources import ClockResource, WarehouseResource
from tests.measure.pulls.conftest import DAY, TODAY, Stage


def test_pull_prints_what_each_source_brought_and_ends_with_2_if_one_stopped(stage: Stage) -> None:
    for source, code in (("mastodon", 0), ("bluesky", 2)):
        if code:
            stage.world.play("bluesky", "revoked")
        days = ["--from", (TODAY - DAY).isoformat(), "--to", TODAY.isoformat()]
        done = CliRunner().invoke(app, ["pull", source, *days, "--json", "--warehouse", str(stage.warehouse.folder)])
        assert done.exit_code == code, done.output
        [told] = json.loads(next(line for line in done.output.splitlines() if line.startswith("[")))
        assert (told["stopped"] is None) == (code == 0)
        assert told["rows"] == len(
            stage.vouched({"mastodon": "raw_mastodon.statuses", "bluesky": "raw_bluesky.posts"}[source])
        )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "source nothing -> does not exist"),
        (["meta", "--from", "soon"], "--from soon -> is not a date"),
        (["meta", "--from", "2026-11-02", "--to", "2026-11-01"], "is after --to"),
        (["tiktok", "--from", "2001-01-01"], "is further back than the 365 days"),
        (["tiktok", "--to", "2999-01-01"], "has not come yet"),
    ],
)
def test_what_cannot_be_pulled_is_said_in_one_line(stage: Stage, arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(app, ["pull", *arguments, "--warehouse", str(stage.warehouse.folder)])
    assert said in str(done.exception)
    assert stage.world.calls == []


def test_a_source_without_its_key_is_named(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOOP_META_TOKEN")
    done = CliRunner().invoke(app, ["pull", "meta", "--warehouse", str(stage.warehouse.folder)])
    assert "LOOP_META_TOKEN not set" in str(done.exception)
    monkeypatch.setenv("LOOP_TIKTOK_URL", "http://elsewhere.example.test")
    done = CliRunner().invoke(app, ["pull", "tiktok", "--warehouse", str(stage.warehouse.folder)])
    assert "use https" in str(done.exception)


def test_an_asset_reads_again_what_may_have_changed_and_a_backfill_only_its_days(stage: Stage) -> None:
    [asset] = [asset for asset in PULLS if asset.key == dg.AssetKey(["raw_tiktok", "reports"])]
    resources = {
        "warehouse": WarehouseResource(folder=str(stage.warehouse.folder)),
        "clock": ClockResource(fixed=stage.world.now.isoformat()),
    }
    with dg.DagsterInstance.ephemeral() as instance:
        for key in (TODAY.isoformat(), (TODAY - 40 * DAY).isoformat()):
            done = dg.materialize([asset], partition_key=key, resources=resources, instance=instance)
            assert done.success
            assert [check.passed for check in done.get_asset_check_evaluations()] == [True]
    spans = stage.warehouse.rows("select distinct first_day, last_day from raw.pull_readings order by 1")
    assert [(row["first_day"], row["last_day"]) for row in spans] == [
        (TODAY - 40 * DAY, TODAY - 40 * DAY),
        (TODAY - 13 * DAY, TODAY),
    ]


@pytest.mark.slow
def test_the_played_channels_can_be_pulled_by_the_command(tmp_path: Path) -> None:
    loop = [sys.executable, "-c", "from orchestration.cli import main; main()"]
    server = subprocess.Popen([*loop, "sandbox-server", "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        silence = threading.Timer(90, server.kill)  # a server that says nothing ends the reading
        silence.start()
        told = {}
        while "LOOP_MASTODON_ACCOUNTS" not in told:
            found = re.fullmatch(r"export (\w+)='(.*)'", server.stdout.readline().strip())
            assert found
            told[found[1]] = found[2]
        silence.cancel()
        done = subprocess.run(
            [*loop, "pull", "bluesky", "--json", "--warehouse", str(tmp_path)],
            env={**os.environ, **told}, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)[0]["rows"] > 40
    finally:
        server.terminate()
        server.wait(timeout=20)
