"""Views stand between builds and are written again when the project changes, or when one is missing."""

import shutil
from pathlib import Path

import pytest

from orchestration.edges.dbt import PROJECT, DbtProject
from orchestration.edges.warehouse import Warehouse

# Of a build of everything only the staging views are looked at; a build of some models would not leave views alone and run tests.
BEYOND = ("path:models/intermediate", "path:models/marts", "path:tests", "resource_type:unit_test")
UNTESTED = ("resource_type:test", "resource_type:unit_test")
ONLY = ("stg_ledger__cycles", "stg_events__received", "int_growth_terms")


def names(project: DbtProject, warehouse: Warehouse) -> set[str]:
    nodes = project.build(warehouse, select=ONLY, exclude=("resource_type:test",), keep_views=True)
    return {node.unique_id.split(".")[-1] for node in nodes}


@pytest.mark.slow
def test_a_view_is_written_again_only_when_the_project_changes(tmp_path: Path) -> None:
    copy = tmp_path / "dbt_project"
    shutil.copytree(PROJECT, copy, ignore=shutil.ignore_patterns("target", "logs"))
    project, warehouse = DbtProject(copy), Warehouse(tmp_path / "warehouse")
    warehouse.migrate()
    project.build(warehouse, select=("path:models/staging", "+int_growth_terms"), exclude=UNTESTED, keep_views=True)
    assert names(project, warehouse) == {"stg_events__received", "int_growth_terms"}
    of_all = {
        test.unique_id
        for test in project.build(warehouse, exclude=BEYOND, keep_views=True)
        if test.unique_id.startswith("test.")
    }
    again = project.build(warehouse, command="test", exclude=BEYOND)
    assert len(again) > 100
    assert of_all == {test.unique_id for test in again}, "a view that is left alone is tested all the same"

    with warehouse.connect() as connection:
        connection.execute("drop view staging.stg_ledger__cycles")
    assert "stg_ledger__cycles" in names(project, warehouse)

    model = copy / "models" / "staging" / "ledger" / "stg_ledger__cycles.sql"
    model.write_text(model.read_text(encoding="utf-8") + "\n-- changed\n", encoding="utf-8")
    assert "stg_ledger__cycles" in names(DbtProject(copy), warehouse)
