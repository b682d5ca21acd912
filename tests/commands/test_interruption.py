"""Ctrl-C ends in one line that says what is kept, and exit code 130, wherever it strikes."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

# A shell's background job, and what it starts, ignores Ctrl-C.
LISTENS = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
MAIN = "from orchestration.cli import main; main()"


def interrupted(place: Path, *arguments: str, there: str, seconds: float) -> tuple[int, str]:
    """How a command ends that is interrupted so long after a file of its warehouse is there."""
    with subprocess.Popen(
        [sys.executable, "-c", f"{LISTENS}; {MAIN}", *arguments],
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 60
        while not (place / "warehouse" / there).exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    return process.returncode, err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "there", "seconds"),
    [("build", "loop.duckdb", 0.5), ("run", "dagster", 4.0)],
)
def test_an_interrupted_command_says_that_it_goes_on(place: Path, command: str, there: str, seconds: float) -> None:
    code, err = interrupted(place, *command.split(), there=there, seconds=seconds)
    assert code == 130, err
    assert err == (
        "interrupted -> you stopped it; what was finished is kept. Run the same command again: it goes on from there.\n"
    )


def test_what_keeps_nothing_says_so(place: Path) -> None:
    struck = (
        "from orchestration.learn import planning; planning.plan = lambda *_, **__: signal.raise_signal(signal.SIGINT)"
    )
    script = f"{LISTENS}; {struck}; {MAIN}"
    command = ["plan", "--effect", "0.1", "--rate", "0.03", "--people", "9000"]
    done = subprocess.run(
        [sys.executable, "-c", script, *command], cwd=place, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.endswith(
        "interrupted -> you stopped it; it keeps nothing. Run the same command again: it begins anew.\n"
    )
