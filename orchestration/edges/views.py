"""Views that stand: a build writes them anew only when the dbt project has changed since they were written.

A view is a definition, so writing it again changes nothing, yet each costs dbt and Dagster as much as a small table. Views whose
text depends on more than the project (on what the warehouse holds, or on tables that are not ours) say ``view_written: each_build``.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestration.edges.warehouse import MIGRATIONS, Warehouse

LEFT_OUT = "resource_type:model,config.materialized:view,config.meta.view_written:once"
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


def kept_views(nodes: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Schema and name of the views that ``LEFT_OUT`` selects.

    Args:
        nodes: Of a parsed manifest.
    """
    return {
        (node.schema, node.alias)
        for node in nodes.values()
        if node.resource_type == "model"
        and node.config.materialized == "view"
        and node.config.meta.get("view_written") == "once"
    }


def stand(warehouse: Warehouse, digest: str, views: set[tuple[str, str]]) -> bool:
    """Whether the warehouse has all these views, written from the project of this digest."""
    with warehouse.connect() as connection:
        known = connection.execute("select fingerprint from ledger.built_views order by rowid desc limit 1").fetchone()
        if known is None or known[0] != digest:
            return False
        found = connection.execute("select schema_name, view_name from duckdb_views() where not internal").fetchall()
        return views <= set(found)


def remember(warehouse: Warehouse, digest: str) -> None:
    """Records that all views were written from the project of this digest."""
    with warehouse.connect() as connection:
        connection.execute("insert into ledger.built_views values (?)", [digest])
