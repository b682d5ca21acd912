"""What `loop run` tells of a cycle that it could run, but not with everything."""

import re
from pathlib import Path

import pytest

from orchestration.edges.warehouse import Warehouse

from .conftest import Command
from .test_refusals import PROGRAM

EVENT = '{"event_id": "e1", "source": "shop", "event_name": "Signed Up", "user_id": "u", "received_at": "2026-11-01"}\n'


@pytest.mark.slow
def test_a_run_goes_on_and_says_what_it_left_alone(
    place: Path, fresh_loop: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox, programs = place / "warehouse" / "inbox", place / "programs"
    inbox.mkdir(parents=True)
    programs.mkdir()
    (inbox / "a.parquet").write_text("neither here nor there", encoding="utf-8")
    (inbox / "b.csv").mkdir()
    (inbox / "c.ndjson").write_text(EVENT, encoding="utf-8")
    (programs / "now.yaml").write_text(PROGRAM, encoding="utf-8")
    later = PROGRAM.replace("program: subject_lines", "program: later")
    (programs / "later.yaml").write_text(re.sub("first_cycle: .*", "first_cycle: 2999-01-01", later), encoding="utf-8")
    monkeypatch.setenv("LOOP_PROGRAMS", str(programs))
    done = fresh_loop("run")
    assert done.code == 0, done.err
    lines = done.err.splitlines()
    assert lines[0].startswith("left where it is, the other files were taken: a.parquet -> cannot be read")
    assert lines[1].startswith("left where it is, the other files were taken: b.csv -> is a folder, no file.")
    assert lines[2] == "later: its first cycle is that of 2999-01-01, nothing is written"
    assert len(lines) == 3
    assert [row["event_id"] for row in Warehouse(place / "warehouse").rows("select event_id from raw.events")] == ["e1"]
    assert re.search(
        r"^subject_lines: \d+ texts to be read with care: they are the offline generator's, a stand-in", done.out, re.M
    )
