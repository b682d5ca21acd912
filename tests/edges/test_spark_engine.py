"""Choosing an engine that is not there is refused in one line, before anything is built."""

from pathlib import Path

import pytest

from orchestration.edges.dbt import DbtProject
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.settings import read_settings


def test_an_engine_nobody_knows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOP_ENGINE", "spork")
    with pytest.raises(Refusal, match="LOOP_ENGINE -> 'spork' is neither duckdb nor spark"):
        read_settings()
    monkeypatch.setenv("LOOP_ENGINE", "spark")
    assert read_settings().engine == "spark"


def test_spark_without_java_is_refused_before_the_build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.delenv("SPARK_CONF_DIR", raising=False)
    warehouse = Warehouse(tmp_path / "house")
    with pytest.raises(Refusal, match=r"engine spark -> .* is not installed"):
        DbtProject(engine="spark").build(warehouse)
    assert not (tmp_path / "house" / "spark").exists()
