"""The whole loop through the real job: deterministic, resumable, honest, and the graph it runs."""

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from orchestration.edges.dbt import MANIFEST
from orchestration.edges.locks import turning
from orchestration.errors import WarehouseLocked
from orchestration.resources import TurnResource
from orchestration.running import definitions, run_cycle, told
from orchestration.sandbox.world import World

LOOP = [sys.executable, "-c", "from orchestration.cli import main; main()"]
ROOT = Path(__file__).parents[2]
SECOND_END = dt.datetime.fromisoformat("2026-01-19")


def loop(*arguments: str, folder: Path, timeout: float = 600) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LOOP_WAREHOUSE": str(folder)}
    return subprocess.run(
        [*LOOP, *arguments], capture_output=True, text=True, env=environment, timeout=timeout, check=False
    )


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """The same demo, uninterrupted, on the other core meanwhile."""
    folder = tmp_path_factory.mktemp("beside")
    with subprocess.Popen(
        [*LOOP, "demo", "--cycles", "2", "--seed", "3", "--json"],
        env={**os.environ, "LOOP_WAREHOUSE": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield folder, process
        process.kill()


@pytest.fixture(scope="module")
def turned(
    beside: tuple[Path, subprocess.Popen[str]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, object]]:
    """Two cycles, the first run killed when the world had lived the second one's week and nothing of it was measured."""
    folder = tmp_path_factory.mktemp("loop")
    process = subprocess.Popen(
        [*LOOP, "demo", "--cycles", "2", "--seed", "3"],
        env={**os.environ, "LOOP_WAREHOUSE": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()  # the first finished cycle
    patience = time.monotonic() + 60
    while world_in(folder) < SECOND_END and time.monotonic() < patience:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert world_in(folder) == SECOND_END
    assert rows(folder, "select count(*) from raw.imports") == [(2,)]
    done = loop("demo", "--cycles", "2", "--seed", "3", "--json", folder=folder)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout.splitlines()[-1])


def world_in(folder: Path) -> dt.datetime:
    return World.open(folder).now


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(folder / "loop.duckdb"), read_only=True) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.slow
def test_the_report_of_every_cycle(turned: tuple[Path, dict[str, object]]) -> None:
    _, report = turned
    cycles = report["cycles"]
    assert isinstance(cycles, list)
    assert [cycle["cycle"] for cycle in cycles] == [202602, 202603]
    for cycle in cycles:
        assert set(cycle) == {"cycle", "reward", "oracle", "ideal", "baseline", "learnings_active", "learnings_false"}
        assert 0 < cycle["baseline"] < cycle["ideal"]
        assert cycle["reward"] <= cycle["oracle"]


@pytest.mark.slow
def test_a_kill_half_way_leaves_nothing_double_and_nothing_missing(turned: tuple[Path, dict[str, object]]) -> None:
    folder, _ = turned
    assert rows(folder, "select count(*) from ledger.experiments") == [(6,)]
    assert rows(folder, "select count(*) - count(distinct (experiment_id, user_id)) from ledger.assignments") == [(0,)]
    assert rows(folder, "select count(*) - count(distinct creative_id) from ledger.creatives") == [(0,)]
    assert rows(folder, "select count(*) - count(distinct send_id) from ledger.sends") == [(0,)]
    assert rows(
        folder,
        """
        select count(*) from ledger.assignments full join ledger.sends using (experiment_id, user_id)
        where (sends.send_id is null) <> (assignments.creative_id = 'holdout')
        """,
    ) == [(0,)]
    assert rows(
        folder,
        "select count(*) from (select event_id from staging.stg_events__events group by all having count(*) > 1)",
    ) == [(0,)]


@pytest.mark.slow
def test_every_mart_is_published_and_counts_what_it_says(turned: tuple[Path, dict[str, object]]) -> None:
    folder, _ = turned
    published = folder / "published" / "current"
    marts = {
        row[0] for row in rows(folder, "select table_name from information_schema.tables where table_schema = 'marts'")
    }
    assert {file.stem for file in published.glob("*.parquet")} == marts
    assert {"learnings", "experiment_verdicts", "retention_weekly", "weekly_actives", "activation", "referral"} <= marts
    with duckdb.connect(str(published / "loop.duckdb"), read_only=True) as copy:
        for mart in marts:
            assert copy.execute(f"select count(*) from marts.{mart}").fetchall() == rows(
                folder, f"select count(*) from marts.{mart}"
            )


@pytest.mark.slow
def test_the_same_seed_gives_the_same_loop(
    turned: tuple[Path, dict[str, object]], beside: tuple[Path, subprocess.Popen[str]]
) -> None:
    folder, report = turned
    again, process = beside
    told, faults = process.communicate(timeout=600)
    assert process.returncode == 0, faults
    assert json.loads(told.splitlines()[-1]) == report
    creatives = "select creative_id, text from ledger.creatives order by creative_id"
    assert rows(folder, creatives) == rows(again, creatives)
    learnings = "select * from marts.learnings order by evidence_id"
    assert repr(rows(folder, learnings)) == repr(rows(again, learnings))


def test_two_processes_do_not_turn_one_loop(tmp_path: Path) -> None:
    (tmp_path / "world").mkdir()
    with turning(tmp_path):
        for command in (["demo"], ["demo", "--fresh"], ["run"]):
            refused = loop(*command, folder=tmp_path)
            assert refused.returncode == 2
            assert f"process {os.getpid()} turns its loop" in refused.stderr.replace("\n", " ")
    assert (tmp_path / "world").is_dir()


def test_a_run_that_dagster_begins_takes_its_turn_too(tmp_path: Path) -> None:
    """One from the UI or a schedule, which no command of ours precedes."""
    resources = {
        "warehouse": {"config": {"folder": str(tmp_path)}},
        "turn": {"config": {"folder": str(tmp_path)}},
    }
    job = definitions().resolve_job_def("cycle")
    with turning(tmp_path), dg.DagsterInstance.ephemeral() as instance:
        run = job.execute_in_process(
            {"resources": resources}, instance, partition_key="2026-01-05", raise_on_error=False
        )
    assert not run.success
    told = [str(event.event_specific_data) for event in run.all_events if event.is_failure]
    assert any(f"process {os.getpid()} turns its loop" in fault for fault in told), told
    assert not (tmp_path / "loop.duckdb").exists(), "it was refused before it measured anything"
    with dg.build_resources({"turn": TurnResource(folder=str(tmp_path))}), pytest.raises(WarehouseLocked):
        turning(tmp_path).__enter__()


@pytest.mark.slow
def test_a_run_tells_what_its_build_made_anew(turned: tuple[Path, dict[str, object]], tmp_path: Path) -> None:
    folder = shutil.copytree(turned[0], tmp_path / "copy", symlinks=True)
    change = "update ledger.built_tables set terms = json_merge_patch(terms, ?) where node like '%engaged_weeks'"
    with duckdb.connect(folder / "loop.duckdb") as connection:
        connection.execute(change, ['{"engaged_days": "4"}'])
    run = run_cycle(
        folder,
        folder / "world" / "programs",
        "weekly",
        3,
        "2026-01-12",
        fixed_time=SECOND_END.isoformat(),
        only=["build"],
    )
    assert told(folder, run.run_id) == [
        "int_people__engaged_weeks is made anew from all of raw: engaged_days is 3, was 4"
    ]


@pytest.mark.slow
def test_another_world_is_not_mixed_in(turned: tuple[Path, dict[str, object]]) -> None:
    folder, _ = turned
    refused = loop("demo", "--seed", "4", folder=folder)
    assert refused.returncode == 2
    assert "already holds the world newsletter with seed 3" in refused.stderr.replace("\n", " ")


def test_the_graph_reads_from_measure_to_deploy() -> None:
    graph = definitions().resolve_asset_graph()
    keys = {key for key in graph.get_all_asset_keys() if graph.get(key).is_materializable}
    edges = sorted(
        f"{'/'.join(parent.path)} -> {'/'.join(key.path)}"
        for key in keys
        for parent in graph.get(key).parent_keys
        if parent in keys
    )
    golden = ROOT / "tests" / "stages" / "asset_edges.txt"
    assert edges == golden.read_text(encoding="utf-8").splitlines()
    order = {"measure": 0, "build": 1, "learn": 2, "generate": 3, "deploy": 4}
    for key in keys:
        for parent in graph.get(key).parent_keys & keys:
            assert order[graph.get(parent).group_name] <= order[graph.get(key).group_name], f"{parent} -> {key}"


def test_every_data_test_is_a_check_of_an_asset() -> None:
    """Whoever looks at a mart in Dagster's UI sees what is asked of it; a test of several models names the one it is shown at."""
    nodes = json.loads(MANIFEST.read_text(encoding="utf-8"))["nodes"].values()
    tests = {node["name"] for node in nodes if node["resource_type"] == "test" and node["config"]["enabled"]}
    checks = {key.name for key in definitions().resolve_asset_graph().asset_check_keys}
    assert tests > {"events_kept_and_duplicates_are_received", "no_learning_without_support"}
    assert tests <= checks


@pytest.mark.slow
def test_a_demo_of_fewer_cycles_tells_of_these_alone(turned: tuple[Path, dict[str, object]], tmp_path: Path) -> None:
    folder = shutil.copytree(turned[0], tmp_path / "copy", symlinks=True)
    with duckdb.connect(folder / "loop.duckdb") as connection:
        sent = connection.execute("select count(*) from ledger.sends where experiment_id like '%-202602-%'").fetchone()
        whole = connection.execute("select count(*) from ledger.sends").fetchone()
    done = loop("demo", "--seed", "3", "--cycles", "1", folder=folder)
    assert sent is not None
    assert whole != sent
    assert f"{sent[0]:,} messages" in done.stdout, done.stderr
