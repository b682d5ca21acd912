"""What every command shares: where it prints, and the settings with the command line's wishes."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from orchestration.errors import Refusal
from orchestration.settings import Settings, read_settings

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def _folder(text: str) -> Path:
    """A folder of the command line; an empty one is a variable of somebody's that was not set, never the working folder.

    Raises:
        Refusal: if it is empty.
    """
    if not text.strip():
        raise Refusal("--warehouse", "is empty", "Name a folder, or leave it out; `.` is the working folder.")
    return Path(text)


WarehouseOption = Annotated[
    Path | None, typer.Option("--warehouse", metavar="PATH", parser=_folder, help="Folder of the warehouse.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="End with one JSON object.")]


def settings_for(warehouse: Path | None) -> Settings:
    """Settings, with the warehouse of the command line handed on to Dagster and dbt."""
    if warehouse is not None:
        os.environ["LOOP_WAREHOUSE"] = str(warehouse.resolve())
    return read_settings()
