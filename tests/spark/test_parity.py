"""The same project on both engines: from the same raw and ledger, every mart to 1e-9, late events included."""

from dataclasses import dataclass

import pandas as pd
import pytest

from orchestration.edges.dbt import DbtProject
from orchestration.edges.spark import SparkEngine, missing
from orchestration.edges.warehouse import Warehouse
from tests.conftest import parsed_before
from tests.dbt.conftest import receive
from tests.dbt.histories import random_history
from tests.dbt.past_experiments import random_program, warehouse_with
from tests.spark.live import go_on, launch, report
from tests.spark.parity import difference, keys_of_marts

REASON = missing()
pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.skipif(REASON is not None, reason=REASON or "")]
MARTS = ["+path:models/marts"]
SMALL = {  # planning and compiling cost more than a few thousand rows do
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.shuffle.partitions": "1",
}
DIGESTS = {"claim_key"}  # 64-bit keys within a build, never compared across engines


@dataclass(frozen=True)
class Both:
    """One history in two warehouses: DuckDB built it at once, Spark as it arrived."""

    embedded: Warehouse
    distributed: Warehouse
    spark: DbtProject
    keys: dict[str, list[str]]

    def differences(self) -> dict[str, str]:
        found = {}
        for mart, key in self.keys.items():
            left, right = (_rows(house, mart) for house in (self.embedded, self.distributed))
            if told := difference(left, right, key):
                found[mart] = told
        return found


def _rows(warehouse: Warehouse, mart: str) -> pd.DataFrame:
    rows = warehouse.read(f"select * from marts.{mart}")
    return rows[[name for name in rows.columns if name not in DIGESTS]]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    past = [*random_program("p", 3, cycles=8, effect=0.3), *random_program("q", 4, cycles=8)]
    history = random_history(2, people=110)
    houses = [warehouse_with(tmp_path_factory.mktemp(name), past) for name in ("embedded", "distributed")]
    duckdb = DbtProject(target=parsed_before(tmp_path_factory.mktemp("target")))
    spark = DbtProject(target=tmp_path_factory.mktemp("spark_target"), engine="spark")
    for house in houses:
        launch(house, history.as_of)
        report(house)
        duckdb.build(house, select=["resource_type:seed"], command="seed")
        with house.connect() as connection:
            connection.execute("update policy.policy set value = 5 where name = 'min_cohort_users'")
    embedded, distributed = houses
    engine = SparkEngine(distributed)
    engine.offer(("policy",))
    for name, value in SMALL.items():
        engine.start().conf.set(name, value)
    for batches in (history.batches[:1], history.batches[1:]):
        for batch in batches:
            receive(distributed, batch)
        spark.build(distributed, select=MARTS, command="run")
        if batches[0] is history.batches[0]:
            go_on(distributed, history.as_of)
    go_on(embedded, history.as_of)
    for batch in history.batches:
        receive(embedded, batch)
    duckdb.build(embedded, select=MARTS, command="run")
    return Both(embedded, distributed, spark, keys_of_marts(duckdb.target / "manifest.json"))


def test_built_as_it_arrived_every_mart_is_the_same(both: Both) -> None:
    empty = [mart for mart in both.keys if _rows(both.embedded, mart).empty]
    assert empty == [], "a mart without rows compares nothing"
    assert both.differences() == {}


def test_built_anew_every_mart_is_the_same(both: Both) -> None:
    both.spark.build(both.distributed, select=MARTS, command="run", full_refresh=True)
    assert both.differences() == {}


def test_the_marts_pass_their_tests_there(both: Both) -> None:
    results = both.spark.build(
        both.distributed, select=["path:models/marts"], exclude=["test_type:unit"], command="test"
    )
    assert len(results) > 40


def test_only_what_is_new_goes_over_and_erasing_takes_it_back(both: Both) -> None:
    spark = SparkEngine(both.distributed)
    files = sorted((spark.folder / "raw" / "events").glob("*.parquet"))
    assert len(files) == 2
    with both.distributed.connect() as connection:
        connection.execute("delete from raw.events where user_id = (select min(user_id) from raw.events)")
        (left,) = connection.execute("select count(*) from raw.events").fetchone() or (0,)
    assert spark.offer()["raw.events"] == left
    again = sorted((spark.folder / "raw" / "events").glob("*.parquet"))
    assert [file.name for file in again] == ["from_000000000000.parquet"]
    assert spark.start().table("raw.events").count() == left


def test_the_comparison_sees_what_differs() -> None:
    one = pd.DataFrame({"day": ["a", "b"], "rate": [0.5, float("nan")], "reason": [None, "few"]})
    assert difference(one, one.iloc[::-1], ["day"]) is None
    assert "rate" in (difference(one, one.assign(rate=[0.5 + 2e-9, float("nan")]), ["day"]) or "")
    assert "reason" in (difference(one, one.assign(reason=["", "few"]), ["day"]) or "")
    assert "rows" in (difference(one, one.iloc[:1], ["day"]) or "")
