"""`loop serve` in a process of its own, killed while events arrive; the long run is tests/bench/intake_kills.py."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from orchestration.edges.spool import Frame, read_spool, spool_folder, spool_key
from tests.bench.intake_kills import run
from tests.bench.receiving import free_port, running, start_receiver
from tests.conftest import parsed_before

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    count = run(tmp_path, kills=4, events=800, seed=7, target=parsed_before(target))
    assert (count.lost, count.double_in_inbox, count.double_in_staging) == (0, 0, 0)
    assert count.events == 800
    assert count.copies_set_aside > 0, "the sender did repeat itself"


def test_the_command_serves_and_seals_its_file_when_it_is_stopped(tmp_path: Path) -> None:
    server = start_receiver(tmp_path)
    with running(server):
        body = json.dumps({"writeKey": "bench-write-key", "userId": "u", "event": "Worked"}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{server.port}/v1/track", body, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(timeout=20)
    (path,) = spool_folder(tmp_path).glob("*.spool")
    (frame,) = read_spool(path, spool_key(tmp_path))
    assert isinstance(frame, Frame)
    assert frame.records[0].body == body
    assert not (tmp_path / "loop.duckdb").exists(), "the receiver never opens the warehouse"


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("LOOP_WRITE_KEYS", "nameless", "holds a key without a source's name"),
        ("LOOP_SENDGRID_PUBLIC_KEY", "nonsense", "is no public key"),
        ("LOOP_PUBLIC_URL", "hooks.example.test", "'hooks.example.test' is no https address"),
        ("LOOP_PUBLIC_URL", "http://hooks.example.test", "'http://hooks.example.test' is no https address"),
        ("LOOP_SPOOL_KEY", "", "is an empty key"),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line(tmp_path: Path, variable: str, value: str, reason: str) -> None:
    code = "from orchestration.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "serve", "--port", str(free_port()), "--warehouse", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, variable: value},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert f"{variable} -> {reason}." in done.stderr
    is_secret = variable != "LOOP_PUBLIC_URL" and value
    assert not is_secret or value not in done.stderr.replace(variable, "")
