"""Every compiled model and data test can be read by the other warehouses; what cannot is listed here, with its reason."""

import re
from pathlib import Path

import pytest
import sqlglot
from sqlglot import ErrorLevel, exp
from sqlglot.errors import ParseError, UnsupportedError

from orchestration.edges.dbt import DbtProject
from orchestration.edges.warehouse import Warehouse
from tests.conftest import parsed_before

DIALECTS = ("spark", "databricks", "snowflake", "bigquery")
# DuckDB's own functions, each behind a dispatched macro of `macros/` that has a form for Spark.
DISPATCHED = {
    "generate_subscripts",
    "hash",
    "json_array_length",
    "json_merge_patch",
    "lgamma",
    "timestamp_micros",  # make_timestamp, as sqlglot writes it
    "to_months",
    "to_seconds",
}
# What sqlglot cannot write for a dialect: part of its message -> why that is no fault of the model.
EXCEPTIONS = {
    "databricks": {"JSONKeyValue": "sqlglot writes a JSON object it cannot read back; `json_field` has Spark's form"},
    "bigquery": {
        "sql_name": "sqlglot fails on named windows; BigQuery reads them as they stand",
        "NULLS LAST": "BigQuery has no NULLS LAST inside aggregates and windows; none of these is ordered by what may be null",
        "ARRAY_SORT": "BigQuery orders inside ARRAY_AGG; `sorted_list` is a dispatched macro",
    },
}
NUMBER = re.compile(r"\d*\.\d+|\d+\.\d*")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Name -> SQL as DuckDB gets it, of every model and data test; in a folder of its own, where no unit test was ever written."""
    project = DbtProject(target=parsed_before(tmp_path_factory.mktemp("portable")))
    warehouse = Warehouse(tmp_path_factory.mktemp("compiled"))
    warehouse.migrate()
    project.build(warehouse, command="compile", exclude=["resource_type:unit_test"])
    files = sorted((project.target / "compiled").rglob("*.sql"))
    assert len(files) > 100
    return {file.stem: file.read_text(encoding="utf-8") for file in files}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_statement_can_be_read_elsewhere(compiled: dict[str, str], dialect: str) -> None:
    excused = EXCEPTIONS.get(dialect, {})
    used: set[str] = set()
    refused: dict[str, str] = {}
    for name, sql in compiled.items():
        try:
            (written,) = sqlglot.transpile(sql, read="duckdb", write=dialect, unsupported_level=ErrorLevel.RAISE)
            unknown = {call.name.lower() for call in sqlglot.parse_one(written, read=dialect).find_all(exp.Anonymous)}
            if unknown - DISPATCHED:
                refused[name] = f"functions only DuckDB knows: {sorted(unknown - DISPATCHED)}"
        except (UnsupportedError, ParseError, AttributeError) as error:
            reasons = [message for message in excused if message in str(error)]
            used.update(reasons)
            if not reasons:
                refused[name] = str(error)
    assert refused == {}
    assert used == set(excused), "an exception that is no longer needed"


def test_no_quotient_of_decimals(compiled: dict[str, str]) -> None:
    """``1.0 / n`` is a double in DuckDB and a rounded decimal in Spark."""
    found = {
        name: quotient.sql()
        for name, sql in compiled.items()
        for quotient in sqlglot.parse_one(sql, read="duckdb").find_all(exp.Div)
        for side in (quotient.this, quotient.expression)
        if isinstance(side, exp.Literal) and not side.is_string and NUMBER.fullmatch(side.name)
    }
    assert found == {}


def test_text_is_called_string() -> None:
    project = Path(__file__).parents[2] / "dbt_project"
    files = [*(project / "models").rglob("*.sql"), *(project / "macros").rglob("*.sql")]
    spelled = [file.name for file in files if re.search(r"as varchar\b", file.read_text(encoding="utf-8"))]
    assert spelled == []
