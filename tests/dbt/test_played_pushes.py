"""The played channels push at `loop serve`, over real HTTP between two processes; what they pushed is read by the staging models."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestration.edges.clock import SystemClock
from orchestration.edges.dbt import DbtProject
from orchestration.measure.mover import move_spool
from tests.bench.receiving import ROOT, free_port, running, start
from tests.dbt.conftest import NewWarehouse

SERVE = "import sys; from orchestration.cli import main; sys.argv = ['loop', 'serve', '--port', sys.argv[1]]; main()"
PLAY = "import sys; from orchestration.cli import main; sys.argv = ['loop', 'sandbox-server', *sys.argv[1:]]; main()"
MODELS = ("+stg_intake__events", "+stg_intake__unread", "+int_channels__events")
# Events, each once: opens, deliveries with a bounce and clicks; four kinds; clicks that only a fraction of a second tells apart; ...
EVENTS = {"sendgrid": 5 + 6 + 5, "ses": 4, "postmark": 4, "mailgun": 3, "klaviyo": 1000}
PATIENCE = 120  # seconds after which a process that says nothing is ended


@contextmanager
def playing(target: str) -> Iterator[subprocess.Popen[str]]:
    """`loop sandbox-server` that pushes at a receiver."""
    process = subprocess.Popen(
        [sys.executable, "-c", PLAY, "--port", "0", "--push", target],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    silence = threading.Timer(PATIENCE, process.kill)
    silence.start()
    try:
        yield process
    finally:
        silence.cancel()
        process.terminate()
        process.wait(timeout=20)


def exported(process: subprocess.Popen[str]) -> dict[str, str]:
    """The variables that it tells to those who want to be believed or asked."""
    assert process.stdout is not None
    told: dict[str, str] = {}
    while "LOOP_MASTODON_ACCOUNTS" not in told:
        found = re.fullmatch(r"export (\w+)='(.*)'", process.stdout.readline().strip())
        assert found, "it ended"
        told[found[1]] = found[2]
    return told


def pushed(process: subprocess.Popen[str]) -> tuple[int, int, int]:
    """Deliveries pushed, kept and refused, once it is done."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said = f"{said} {line.strip()}"
        if found := re.search(r"pushed (\d+) deliveries at \S+ (\d+) kept, (\d+) refused", said):
            return int(found[1]), int(found[2]), int(found[3])
    raise AssertionError(said)


@pytest.mark.slow
def test_what_is_pushed_at_a_live_receiver_reaches_the_models(
    project: DbtProject, new_warehouse: NewWarehouse, tmp_path: Path
) -> None:
    warehouse, port = new_warehouse(tmp_path), free_port()
    with playing(f"http://127.0.0.1:{port}") as channels:
        told = exported(channels)
        with running(start(SERVE, port, {**told, "LOOP_WAREHOUSE": str(tmp_path)})):
            sent, kept, refused = pushed(channels)
    moved = move_spool(warehouse, SystemClock(), keep_days=7)
    assert (sent, refused) == (kept + 1, 1), "a foreign topic is refused, and nothing else"
    assert (moved.records, moved.quarantined) == (kept, 0)
    project.build(warehouse, select=list(MODELS), command="run")
    once = "select provider, count(*) as n, count(distinct event_id) as ids from intermediate.int_channels__events group by all"
    events = {row["provider"]: (row["n"], row["ids"]) for row in warehouse.rows(once)}
    assert events == {name: (n, n) for name, n in EVENTS.items()}
    clicks = "select count(*) as n from staging.stg_intake__events where source = 'sendgrid' and event_name = 'Email Link Clicked'"
    assert warehouse.rows(clicks) == [{"n": 15}], "five, told three times"
    unread = warehouse.rows("select provider, unread_reason from staging.stg_intake__unread")
    assert unread == [{"provider": "ses", "unread_reason": "the message is no JSON object"}], "the greeting of a topic"
    with warehouse.connect() as connection:
        connection.execute("checkpoint")
    assert b"@example.test" not in warehouse.path.read_bytes()
