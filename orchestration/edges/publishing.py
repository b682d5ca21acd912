"""Publishes the marts: a read-only DuckDB file and Parquet, swapped in at once, so that readers never block and are never blocked."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration.edges.warehouse import Warehouse

STORAGE = "v1.5.0"  # readers of DuckDB 1.5 can open the copy too
KEPT = 2  # versions left for readers that still hold an older one


@dataclass(frozen=True, slots=True)
class Publication:
    """What was published.

    Attributes:
        folder: ``published/current``, a link that always points to a whole version.
        rows: Mart -> number of rows.
    """

    folder: Path
    rows: dict[str, int]


def publish(warehouse: Warehouse) -> Publication:
    """Copies every mart to a new version and swaps the link; a version that was not finished is never seen.

    Returns:
        The published folder: ``loop.duckdb`` with schema ``marts`` and one Parquet file per mart.
    """
    folder = warehouse.published
    versions = folder / "versions"
    versions.mkdir(parents=True, exist_ok=True)
    number = 1 + max((int(path.name) for path in versions.iterdir() if path.name.isdecimal()), default=0)
    draft = versions / f"{number}.draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    with warehouse.connect() as connection:
        rows = _copy(connection, draft)
    os.replace(draft, versions / str(number))
    link = folder / "next"
    link.unlink(missing_ok=True)
    link.symlink_to(Path("versions") / str(number), target_is_directory=True)
    os.replace(link, folder / "current")
    for old in sorted((path for path in versions.iterdir() if path.name.isdecimal()), key=lambda path: int(path.name))[
        :-KEPT
    ]:
        shutil.rmtree(old, ignore_errors=True)
    return Publication(folder / "current", rows)


def _copy(connection: duckdb.DuckDBPyConnection, draft: Path) -> dict[str, int]:
    marts = connection.execute(
        "select table_name from information_schema.tables where table_schema = 'marts' order by table_name"
    ).fetchall()
    target = str(draft / "loop.duckdb").replace("'", "''")
    connection.execute(f"attach '{target}' as published (storage_version '{STORAGE}')")
    rows = {}
    try:
        connection.execute("create schema published.marts")
        for (mart,) in marts:
            connection.execute(f'create table published.marts."{mart}" as select * from marts."{mart}"')
            parquet = str(draft / f"{mart}.parquet").replace("'", "''")
            connection.execute(f"copy marts.\"{mart}\" to '{parquet}' (format parquet)")
            count = connection.execute(f'select count(*) from published.marts."{mart}"').fetchone()
            rows[mart] = int(count[0]) if count else 0
    finally:
        connection.execute("detach published")
    return rows
