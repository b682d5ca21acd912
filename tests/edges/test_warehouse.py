"""The warehouse door: migrations, transactions, locks, and the published copy."""

import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest

from orchestration.edges.publishing import publish
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal, WarehouseLocked


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    house = Warehouse(tmp_path / "data")
    house.migrate()
    return house


def run(warehouse: Warehouse, *statements: str) -> None:
    with warehouse.connect() as connection:
        for statement in statements:
            connection.execute(statement)


def test_migrations_are_applied_once(warehouse: Warehouse) -> None:
    assert warehouse.migrate() == []
    assert warehouse.rows("select count(*) as n from ledger.migrations")[0]["n"] >= 2


def test_appends_are_all_or_nothing(warehouse: Warehouse) -> None:
    good = {"creative_id": "c", "tag": "question", "source": "extractor", "taxonomy_version": "1"}
    with pytest.raises(duckdb.Error):
        warehouse.append({"ledger.creative_tags": [good], "ledger.no_such_table": [good]})
    assert warehouse.rows("select * from ledger.creative_tags") == []


def test_a_locked_warehouse_names_its_holder(warehouse: Warehouse) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import duckdb, time; c = duckdb.connect({str(warehouse.path)!r}); print('held', flush=True); time.sleep(60)",
        ],
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(WarehouseLocked, match=rf"process {holder.pid} is writing"):
            Warehouse(warehouse.folder, patience_seconds=0.3).read("select 1")
    finally:
        holder.kill()
        holder.wait()


def test_what_another_thread_holds_in_its_own_way_is_waited_for_and_then_named(warehouse: Warehouse) -> None:
    with duckdb.connect() as holder:
        holder.execute(f"attach '{warehouse.path}' as held")
        with pytest.raises(WarehouseLocked, match="another thread of this process"):
            Warehouse(warehouse.folder, patience_seconds=0.1).read("select 1")
        release = threading.Timer(0.2, holder.execute, ["detach held"])
        release.start()
        assert warehouse.rows("select 1 as one") == [{"one": 1}]
        release.join()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop.duckdb").write_text("not a database, only a text that is long enough to be read as one" * 200)
    with pytest.raises(Refusal, match=r"loop\.duckdb -> "):
        Warehouse(tmp_path).migrate()


def test_readers_of_the_published_copy_are_never_blocked(warehouse: Warehouse) -> None:
    run(warehouse, "create schema marts", "create table marts.numbers as select 1 as number")
    first = publish(warehouse)
    with duckdb.connect(str(first.folder / "loop.duckdb"), read_only=True) as reader:
        run(warehouse, "insert into marts.numbers values (2)")
        second = publish(warehouse)
        assert reader.execute("select count(*) from marts.numbers").fetchone() == (1,)
    assert second.rows == {"numbers": 2}
    with duckdb.connect() as reader:
        assert reader.execute(f"select sum(number) from '{second.folder}/numbers.parquet'").fetchone() == (3,)
        reader.execute(f"attach '{second.folder}/loop.duckdb' as copy (read_only)")
        tags = reader.execute("select tags from duckdb_databases() where database_name = 'copy'").fetchone()
    assert "v1.5" in str(tags)


def test_a_publication_that_was_cut_off_is_never_seen(warehouse: Warehouse) -> None:
    run(warehouse, "create schema marts", "create table marts.numbers as select 1 as number")
    publish(warehouse)
    draft = warehouse.published / "versions" / "2.draft"
    draft.mkdir()
    (draft / "loop.duckdb").write_text("half written")
    assert publish(warehouse).rows == {"numbers": 1}
    assert not draft.exists()
