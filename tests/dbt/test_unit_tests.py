"""The unit tests that stand beside the models, with rows computed by hand, all of them."""

import json
from pathlib import Path

import pytest

from orchestration.edges.dbt import MANIFEST, DbtProject
from orchestration.edges.warehouse import Warehouse


@pytest.mark.slow
def test_every_unit_test_of_the_models_passes(project: DbtProject, tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path)
    warehouse.migrate()
    project.build(warehouse, exclude=("resource_type:test", "resource_type:unit_test"))
    ran = {node.unique_id for node in project.build(warehouse, command="test", select=("test_type:unit",))}
    assert ran == set(json.loads(MANIFEST.read_text(encoding="utf-8"))["unit_tests"])
