"""Where things are: read once from the environment, passed on as a value."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from orchestration.errors import Refusal

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Settings:
    """What an installation is configured to.

    Attributes:
        warehouse: Folder of the warehouse (``LOOP_WAREHOUSE``).
        programs: Folder of program files (``LOOP_PROGRAMS``).
        cadence: Length of a cycle (``LOOP_CADENCE``): weekly or daily.
        engine: Where the models are built (``LOOP_ENGINE``): duckdb or spark; Python reads and appends in the same place either way.
        seed: Seed of every draw (``LOOP_SEED``); the same seed and data give the same creatives.
    """

    warehouse: Path
    programs: Path
    cadence: Literal["weekly", "daily"]
    seed: int
    engine: Literal["duckdb", "spark"] = "duckdb"


def read_settings() -> Settings:
    """Reads the environment; an empty path is none.

    Raises:
        Refusal: if a variable holds something it may not.
    """
    cadence = os.environ.get("LOOP_CADENCE", "weekly")
    if cadence not in {"weekly", "daily"}:
        raise Refusal("LOOP_CADENCE", f"{cadence!r} is neither weekly nor daily", "Set one of the two, or unset it.")
    engine = os.environ.get("LOOP_ENGINE", "duckdb")
    if engine not in {"duckdb", "spark"}:
        raise Refusal("LOOP_ENGINE", f"{engine!r} is neither duckdb nor spark", "Set one of the two, or unset it.")
    seed = os.environ.get("LOOP_SEED", "7")
    if not seed.isdecimal():
        raise Refusal("LOOP_SEED", f"{seed!r} is not a whole number", "Set a whole number, or unset it.")
    return Settings(
        warehouse=Path(os.environ.get("LOOP_WAREHOUSE") or ROOT / "warehouse" / "data"),
        programs=Path(os.environ.get("LOOP_PROGRAMS") or ROOT / "orchestration" / "programs"),
        cadence=cast(Literal["weekly", "daily"], cadence),
        seed=int(seed),
        engine=cast(Literal["duckdb", "spark"], engine),
    )
