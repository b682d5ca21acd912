"""One parsed dbt project for all tests of the models, and warehouses that it can build."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from orchestration.edges.dbt import DbtProject
from orchestration.edges.warehouse import Warehouse
from tests.conftest import parsed_before

EVENT_MODELS = (
    "path:models/staging/ledger",
    "path:models/staging/events",
    "path:models/intermediate/people",
    "int_as_of",
    "int_growth_terms",
)
GROWTH_MODELS = (
    *EVENT_MODELS,
    "activation",
    "audience",
    "daily_actives",
    "lifecycle",
    "program_audience",
    "referral",
    "retention",
    "retention_daily",
    "retention_weekly",
    "weekly_actives",
    "email_performance",
)
PULLED_DAILY = ("+int_channels__reported_daily",)
SEEDS = ("policy", "machine_agents", "touch_sources")
NewWarehouse = Callable[[Path], Warehouse]


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> DbtProject:
    return DbtProject(target=parsed_before(tmp_path_factory.mktemp("target")))


@pytest.fixture(scope="session")
def new_warehouse(project: DbtProject) -> NewWarehouse:
    """Makes a warehouse that shows shares of five people and more."""

    def make(folder: Path) -> Warehouse:
        warehouse = Warehouse(folder)
        warehouse.migrate()
        project.build(warehouse, select=list(SEEDS), command="seed")
        with warehouse.connect() as connection:
            connection.execute("update policy.policy set value = 5 where name = 'min_cohort_users'")
        return warehouse

    return make


def receive(warehouse: Warehouse, events: pa.Table) -> None:
    """Appends events to ``raw.events`` by the names of their columns."""
    with warehouse.connect() as connection:
        connection.register("arrived", events)
        connection.execute("insert into raw.events by name select * from arrived")
