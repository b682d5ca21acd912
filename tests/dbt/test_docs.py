"""What the dbt docs say: every column of every table there is, and more about it than its name."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from orchestration.edges.dbt import DbtProject
from orchestration.edges.warehouse import Warehouse

FILLERS = frozenset(
    [
        "the",
        "a",
        "an",
        "of",
        "in",
        "on",
        "at",
        "for",
        "to",
        "and",
        "or",
        "is",
        "it",
        "its",
        "this",
        "that",
        "by",
        "with",
    ]
)


@pytest.fixture(scope="module")
def manifest(project: DbtProject) -> Mapping[str, Any]:
    project.load()
    content: Mapping[str, Any] = json.loads((project.target / "manifest.json").read_text(encoding="utf-8"))
    return content


def described(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Models and seeds with their columns, measures, dimensions, metrics and exposures: where, name, description."""
    for node in manifest["nodes"].values():
        if node["resource_type"] in {"model", "seed"}:
            yield node["name"], node["name"], node["description"]
            for column in node["columns"].values():
                yield f"{node['name']}.{column['name']}", column["name"], column["description"]
    for model in manifest["semantic_models"].values():
        yield model["name"], model["name"], model["description"] or ""
        for part in (*model["measures"], *model["dimensions"]):
            yield f"{model['name']}.{part['name']}", part["name"], part["description"] or ""
    for kind in ("metrics", "exposures", "sources"):
        for entry in manifest[kind].values():
            yield f"{kind} {entry['name']}", entry["name"], entry["description"] or ""


def words(text: str) -> set[str]:
    stems = {word.rstrip("s") for word in re.findall(r"[a-z0-9%]+", text.lower().replace("_", " "))}
    return stems - {filler.rstrip("s") for filler in FILLERS}


def says_more(name: str, description: str) -> bool:
    """At least two words that the name does not hold."""
    return len(words(description) - words(name)) >= 2


def test_descriptions_say_more_than_the_name(manifest: Mapping[str, Any]) -> None:
    assert [where for where, name, description in described(manifest) if not says_more(name, description)] == []
    assert not says_more("signed_up_at", "The signed up at.")
    assert not says_more("creative_id", "Creative ids")


def test_no_column_of_any_table_is_undescribed(
    project: DbtProject, manifest: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    warehouse = Warehouse(tmp_path_factory.mktemp("docs"))
    warehouse.migrate()
    project.build(warehouse, select=["resource_type:seed"], command="seed")
    project.build(warehouse, command="run")
    told = {
        (node["schema"], node["name"], column.lower())
        for node in manifest["nodes"].values()
        if node["resource_type"] in {"model", "seed"}
        for column, entry in node["columns"].items()
        if entry["description"].strip()
    }
    held = {
        (row["table_schema"], row["table_name"], row["column_name"].lower())
        for row in warehouse.rows(
            "select table_schema, table_name, column_name from information_schema.columns"
            " where table_schema in ('staging', 'intermediate', 'marts', 'policy')"
        )
    }
    assert len(held) > 300
    assert sorted(held - told) == []
    assert sorted(told - held) == [], "described, but not there"
