"""Fixtures of sending."""

from pathlib import Path

import pytest

from orchestration.edges.warehouse import Warehouse
from tests.bench.sender_kills import prepare
from tests.deploy.played import PEOPLE


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    prepare(folder, PEOPLE)
    return folder


@pytest.fixture
def house(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    for name in ("loop.duckdb", "addresses.csv"):
        (tmp_path / name).write_bytes((prepared / name).read_bytes())
    monkeypatch.setenv("LOOP_PUBLIC_URL", "https://u.example.test")
    monkeypatch.setenv("LOOP_ADDRESSES", str(tmp_path / "addresses.csv"))
    return Warehouse(tmp_path)
