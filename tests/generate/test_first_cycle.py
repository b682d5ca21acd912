"""A program that has not begun, or is stopped, writes nothing, whatever the warehouse holds."""

import datetime as dt
from pathlib import Path

import dagster as dg
import pytest
import yaml

from orchestration.deploy.switches import JOURNAL, record_switches, throw
from orchestration.generate.assets import creatives
from orchestration.programs.definition import FOLDER
from orchestration.resources import ClockResource, ProgramsResource, TurnResource, WarehouseResource


@pytest.mark.parametrize("why", ["it has not begun", "it is stopped, and the journal of switches is lost"])
def test_a_program_that_may_not_writes_nothing(tmp_path: Path, why: str) -> None:
    program = yaml.safe_load((FOLDER / "subject_lines.yaml").read_text(encoding="utf-8")) | {
        "first_cycle": "2026-11-24" if why == "it has not begun" else "2026-11-02"
    }
    programs, warehouse = tmp_path / "programs", str(tmp_path / "warehouse")
    programs.mkdir()
    (programs / "subject_lines.yaml").write_text(yaml.safe_dump(program), encoding="utf-8")
    house = WarehouseResource(folder=warehouse).open()
    if why != "it has not begun":
        throw(
            house.folder, "subject_lines", "stopped", "test", "enough", dt.datetime.fromisoformat("2026-11-20T12:00:00")
        )
        record_switches(house)
        (house.folder / JOURNAL).unlink()
    context = dg.build_asset_context(
        partition_key="2026-11-16",
        resources={
            "warehouse": WarehouseResource(folder=warehouse),
            "clock": ClockResource(fixed="2026-11-22T12:00:00"),
            "programs": ProgramsResource(folder=str(programs), cadence="weekly", seed=1),
            "turn": TurnResource(folder=warehouse),
        },
    )
    with context:
        done = creatives(context)  # a program that may write would look for marts, of which there are none
    assert done.metadata["dagster/row_count"] == 0
    assert house.rows("select 1 from ledger.creatives") == []
