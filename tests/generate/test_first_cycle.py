"""Before its first cycle a program writes nothing, whatever the warehouse holds."""

from pathlib import Path

import dagster as dg
import yaml

from orchestration.generate.assets import creatives
from orchestration.programs.definition import FOLDER
from orchestration.resources import ClockResource, ProgramsResource, TurnResource, WarehouseResource


def test_a_program_that_has_not_begun_writes_nothing(tmp_path: Path) -> None:
    program = yaml.safe_load((FOLDER / "subject_lines.yaml").read_text(encoding="utf-8")) | {
        "first_cycle": "2026-11-24"
    }
    programs, warehouse = tmp_path / "programs", str(tmp_path / "warehouse")
    programs.mkdir()
    (programs / "subject_lines.yaml").write_text(yaml.safe_dump(program), encoding="utf-8")
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
        done = creatives(context)  # a program that had begun would look for marts, of which there are none
    assert done.metadata["dagster/row_count"] == 0
    assert WarehouseResource(folder=warehouse).open().rows("select 1 from ledger.creatives") == []
