"""How a table is made: in the place of the one before, or not at all."""

import shutil
from pathlib import Path

import pytest

from orchestration.edges.dbt import PROJECT, DbtProject
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal

CONTRACT = """
models:
  - name: made
    description: Of a test.
    columns:
      - {name: n, data_type: integer, description: A number.}
      - {name: word, data_type: varchar, description: A word.}
"""
FIRST, SECOND = "select 1 as n, 'one' as word", "select 2 as n, 'two' as word"


class Mart:
    """One mart, under the contract of all marts, whose SQL is told as it is built."""

    def __init__(self, project: DbtProject, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.project, self.monkeypatch = project, monkeypatch
        self.warehouse = Warehouse(folder)
        self.warehouse.migrate()

    def build(self, sql: str) -> None:
        self.monkeypatch.setenv("MADE", sql)
        self.project.build(self.warehouse, select=("made",))

    def rows(self) -> list[dict[str, object]]:
        return self.warehouse.rows("select * from marts.made")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> DbtProject:
    copy = tmp_path_factory.mktemp("tables") / "dbt_project"
    shutil.copytree(PROJECT, copy, ignore=shutil.ignore_patterns("target", "logs"))
    (copy / "models" / "marts" / "_made.yml").write_text(CONTRACT, encoding="utf-8")
    (copy / "models" / "marts" / "made.sql").write_text("{{ env_var('MADE', '') }}\n", encoding="utf-8")
    return DbtProject(copy)


@pytest.fixture
def mart(project: DbtProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mart:
    return Mart(project, tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("select 2 as n, 2 as word", "word .* data type mismatch"),
        ("select 2 as n", "word .* missing in definition"),
        ("select 2 as n, 'two' as word, 3 as more", "more .* missing in contract"),
        ("select error('no number') as n, 'two' as word", "no number"),
    ],
)
def test_a_table_that_fails_leaves_the_one_before(mart: Mart, sql: str, told: str) -> None:
    mart.build(FIRST)
    with pytest.raises(Refusal, match=told):
        mart.build(sql)
    assert mart.rows() == [{"n": 1, "word": "one"}]
    mart.build(SECOND)
    assert mart.rows() == [{"n": 2, "word": "two"}]


@pytest.mark.slow
def test_a_table_takes_the_place_of_a_view(mart: Mart) -> None:
    with mart.warehouse.connect() as connection:
        connection.execute(f"create schema marts; create view marts.made as {SECOND}")
    mart.build(FIRST)
    kinds = "select table_type from information_schema.tables where table_name like 'made%'"
    assert mart.warehouse.rows(kinds) == [{"table_type": "BASE TABLE"}]
    assert mart.rows() == [{"n": 1, "word": "one"}]
