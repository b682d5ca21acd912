"""A send in batches through the whole loop: the real job between the batches, in the simulated world."""

from pathlib import Path

import pytest
import yaml

from orchestration.edges.warehouse import Warehouse
from orchestration.programs.definition import FOLDER
from orchestration.sandbox import demo


@pytest.mark.slow
def test_a_cycle_in_two_batches_adapts_and_enters_the_evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = yaml.safe_load((FOLDER / "subject_lines.yaml").read_text(encoding="utf-8"))
    shipped["experiments"] |= {"sends_per_cycle": 1, "batches": 2, "batch_hours": 30}
    (tmp_path / "subject_lines.yaml").write_text(yaml.safe_dump(shipped), encoding="utf-8")
    monkeypatch.setattr(demo, "FOLDER", tmp_path)
    folder = tmp_path / "warehouse"
    done = demo.run_demo(folder, cycles=1, seed=3, preset="reference")
    warehouse = Warehouse(folder)
    people = warehouse.rows(
        "select batch, count(*) as people, count(distinct user_id) as persons from ledger.assignments group by batch order by batch"
    )
    assert [row["batch"] for row in people] == [1, 2]
    assert sum(row["people"] for row in people) == 12_000
    assert abs(people[0]["people"] - 6000) < 300
    adapted = warehouse.rows(
        """
        select first.probability as before, second.probability as after, second.units_seen
        from ledger.allocations as first
        inner join ledger.allocations as second using (experiment_id, segment, creative_id)
        where first.batch = 1 and second.batch = 2 and second.reason = 'adapted'
        """
    )
    assert adapted
    assert all(row["units_seen"] > 0 and row["after"] > 0 for row in adapted)
    assert any(abs(row["before"] - row["after"]) > 0.05 for row in adapted)
    assert warehouse.rows("select status from marts.experiment_health") == [{"status": "healthy"}]
    closed = warehouse.rows(
        "select count(distinct creative_key) as arms, min(n) as least from intermediate.int_experiments__closed_arms"
    )
    assert closed[0]["arms"] > 3
    assert closed[0]["least"] >= 100
    messages = warehouse.rows("select count(*) as n from ledger.assignments where creative_id <> 'holdout'")[0]["n"]
    assert done.messages == messages
