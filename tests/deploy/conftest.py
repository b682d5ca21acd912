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
    return moved_in(prepared, tmp_path, monkeypatch)


def moved_in(source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """A copy of a prepared warehouse and its addresses, for one test to send from."""
    for name in ("loop.duckdb", "addresses.csv"):
        (folder / name).write_bytes((source / name).read_bytes())
    monkeypatch.setenv("LOOP_PUBLIC_URL", "https://u.example.test")
    monkeypatch.setenv("LOOP_ADDRESSES", str(folder / "addresses.csv"))
    return Warehouse(folder)
