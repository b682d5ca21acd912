"""Views that stand: a build writes them anew only when the dbt project has changed since they were written.

A view is a definition, so writing it again changes nothing, yet each costs dbt and Dagster as much as a small table. Views whose
text depends on more than the project (on what the warehouse holds, or on tables that are not ours) say ``view_written: each_build``.
"""

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from orchestration.edges.warehouse import MIGRATIONS, Warehouse

_FOLDERS = ("models", "macros", "seeds")


def fingerprint(project: Path) -> str:
    """Digest of everything that the text and the types of a view depend on: the project's files and the migrations.

    Args:
        project: Folder with ``dbt_project.yml``.
    """
    files = [project / "dbt_project.yml", *MIGRATIONS.glob("*.sql")]
    files += [file for folder in _FOLDERS for file in (project / folder).rglob("*") if file.is_file()]
    digest = hashlib.sha256()
    for file in sorted(files):
        place = file.relative_to(project) if file.is_relative_to(project) else file.name
        digest.update(str(place).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def kept_views(nodes: Mapping[str, Any]) -> dict[str, str]:
    """The views that are written once, by dbt's id: ``schema.name`` in the warehouse.

    Args:
        nodes: Of a parsed manifest.
    """
    return {
        name: f"{node.schema}.{node.alias}"
        for name, node in nodes.items()
        if node.resource_type == "model"
        and node.config.materialized == "view"
        and node.config.meta.get("view_written") == "once"
    }


def standing(warehouse: Warehouse, digest: str, views: Mapping[str, str]) -> set[str]:
    """Those of the views, by dbt's id, that the warehouse has as the project of this digest defines them."""
    query = """select written.view_name from ledger.built_views as written
        inner join duckdb_views() as found on written.view_name = found.schema_name || '.' || found.view_name
        where written.fingerprint = ?"""
    with warehouse.connect() as connection:
        found = {row[0] for row in connection.execute(query, [digest]).fetchall()}
    return {name for name, view in views.items() if view in found}


def remember(warehouse: Warehouse, digest: str, views: Collection[str]) -> None:
    """Records that these views (``schema.name``) were written from the project of this digest."""
    if views:
        with warehouse.connect() as connection:
            connection.executemany(
                "insert or replace into ledger.built_views values (?, ?)", [[view, digest] for view in sorted(views)]
            )
