"""A fresh warehouse for each test."""

from pathlib import Path

import pytest

from orchestration.edges.warehouse import Warehouse


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    monkeypatch.delenv("LOOP_PSEUDONYM_KEY", raising=False)
    return Warehouse(tmp_path / "warehouse")
